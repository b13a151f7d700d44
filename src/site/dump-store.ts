import { timingSafeEqual } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { readdir, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { DiskRepository } from "../config/storage.ts";
import { counting, observing } from "../core/bytes.ts";
import { HomelabError } from "../core/errors.ts";
import { ensureFolder, readJson, remove, writeAtomic } from "../host/files.ts";
import { decrypt, encrypt, macOf } from "./dump-cipher.ts";
import type { Site } from "./site.ts";

/** A logical backup of one database, as the file beside it tells. */
export interface StoredDump {
  id: string;
  database: string;
  made_at: string;
  /** Of the dump itself. */
  dump_bytes: number;
  /** Of the file in the repository. */
  stored_bytes: number;
  postgresql: string;
  encrypted: boolean;
  /** Over the stored file: HMAC-SHA-256 with a key of the passphrase's, or SHA-256 where there is none. */
  mac: string;
  note: string | null;
  by: string;
}

const ID = /^dump_[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** The id of what a run makes: it sorts by time, and the run finds its own again. */
export const dumpIdOf = (runId: string): string => runId.replace(/^op_/, "dump_");

/** Where dumps are kept: in the folder of the first repository that is on a disk. @throws HomelabError `not_found` */
export async function dumpRepository(site: Site): Promise<DiskRepository> {
  const { repositories } = await site.storage();
  const found = repositories.find((each) => each.type === "disk");
  if (found) return found;
  throw new HomelabError("not_found", "there is no repository on a disk, where dumps could be kept", {
    hint: "homelab db export writes one to wherever you want it.",
  });
}

const folderOf = ({ path }: DiskRepository, database: string): string =>
  join(path, "logical", encodeURIComponent(database).replaceAll(".", "%2E"));

const manifestPath = (repository: DiskRepository, { database, id }: Pick<StoredDump, "database" | "id">): string =>
  join(folderOf(repository, database), `${id}.json`);

/** The file of a dump. */
export const dumpPath = (
  repository: DiskRepository,
  { database, id, encrypted }: Pick<StoredDump, "database" | "id" | "encrypted">,
): string => join(folderOf(repository, database), `${id}.dump${encrypted ? ".enc" : ""}`);

/** Every dump, or those of one database; the newest first. What has no manifest is no dump yet. */
export async function listDumps(site: Site, database?: string): Promise<StoredDump[]> {
  const repository = await dumpRepository(site).catch(() => undefined);
  if (!repository) return [];
  const root = join(repository.path, "logical");
  const folders =
    database === undefined ? (await names(root)).map((name) => join(root, name)) : [folderOf(repository, database)];
  const files = await Promise.all(
    folders.map(async (folder) =>
      (await names(folder)).filter((name) => name.endsWith(".json")).map((name) => join(folder, name)),
    ),
  );
  const all = await Promise.all(files.flat().map((file) => readJson<StoredDump>(file).catch(() => undefined)));
  return all.filter((each) => each !== undefined).sort((a, b) => b.id.localeCompare(a.id));
}

const names = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

/** One dump by its id. @throws HomelabError `not_found` */
export async function requireDump(site: Site, id: string): Promise<StoredDump> {
  const found = ID.test(id) ? (await listDumps(site)).find((each) => each.id === id) : undefined;
  if (found) return found;
  throw new HomelabError("not_found", `there is no dump ${id.slice(0, 60)}`, {
    hint: "homelab db list-backups --db NAME shows those of a database.",
  });
}

/** What a dump is to be called, while it is made. */
export type NewDump = Omit<StoredDump, "dump_bytes" | "stored_bytes" | "encrypted" | "mac">;

/** Stores a dump as it comes; it is there once it is there whole. */
export async function storeDump(
  repository: DiskRepository,
  dump: NewDump,
  source: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<StoredDump> {
  const encrypted = repository.cipher_pass !== null;
  const path = dumpPath(repository, { ...dump, encrypted });
  const partial = `${path}.partial`;
  await ensureFolder(join(repository.path, "logical"), 0o700);
  await ensureFolder(dirname(path), 0o700);
  const sizes = { dump: 0, stored: 0 };
  const mac = macOf(repository.cipher_pass);
  const counted = counting(source, (bytes) => (sizes.dump += bytes));
  const stored = encrypted ? encrypt(counted, repository.cipher_pass!) : counted;
  const hashed = observing(stored, (chunk) => {
    sizes.stored += chunk.length;
    mac.update(chunk);
  });
  try {
    await pipeline(Readable.from(hashed), createWriteStream(partial, { mode: 0o600, flush: true }), { signal });
  } catch (error) {
    await remove(partial);
    throw error;
  }
  await rename(partial, path);
  const facts = { dump_bytes: sizes.dump, stored_bytes: sizes.stored, encrypted, mac: mac.digest("hex") };
  const made: StoredDump = { ...dump, ...facts };
  await writeAtomic(manifestPath(repository, dump), `${JSON.stringify(made, null, 1)}\n`);
  return made;
}

/** Takes a dump away; the manifest first, so that what is listed is there. */
export async function removeDump(repository: DiskRepository, dump: StoredDump): Promise<void> {
  await remove(manifestPath(repository, dump));
  await remove(dumpPath(repository, dump));
}

/**
 * Proves that the file is the one that was written: its size, and the code over all of it. Whatever is in it later was
 * made by us then. @throws HomelabError `restore_refused`
 */
export async function checkStored(repository: DiskRepository, dump: StoredDump, signal?: AbortSignal): Promise<void> {
  const path = dumpPath(repository, dump);
  const size = await stat(path).then(
    (file) => file.size,
    () => undefined,
  );
  if (size === undefined) throw changed(dump, "its file is gone");
  if (size !== dump.stored_bytes) throw changed(dump, `it has ${size} bytes, and had ${dump.stored_bytes}`);
  const mac = macOf(repository.cipher_pass);
  for await (const chunk of createReadStream(path, { signal })) mac.update(chunk as Buffer);
  const [is, was] = [mac.digest(), Buffer.from(dump.mac, "hex")];
  if (is.length !== was.length || !timingSafeEqual(is, was)) throw changed(dump, "its content was changed");
}

const changed = ({ id, database }: StoredDump, how: string): HomelabError =>
  new HomelabError("restore_refused", `the dump ${id} of ${database} is not what was written: ${how}`, {
    hint: "Take another one; homelab db list-backups --db NAME shows them.",
  });

/** The dump itself, decrypted. */
export function readDump(repository: DiskRepository, dump: StoredDump): AsyncIterable<Uint8Array> {
  const file = createReadStream(dumpPath(repository, dump));
  return dump.encrypted ? decrypt(file, repository.cipher_pass!) : file;
}
