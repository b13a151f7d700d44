import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { counting } from "../../core/bytes.ts";
import { HomelabError } from "../../core/errors.ts";
import { BrokenArchive, readContents, type ArchiveContents } from "../../engines/postgres/archive-format.ts";
import { inspectSql, type SqlFile } from "../../engines/postgres/sql-file.ts";
import { dumpPath, dumpRepository, readDump, requireDump } from "../../site/dump-store.ts";
import type { Site } from "../../site/site.ts";
import { headOf, readUnpacked } from "../../site/uploads.ts";

/** What a database is filled from. */
export interface LoadSource {
  /** Of the file, for progress. */
  bytes: number;
  /** The dump as its reader wants it; `see` hears of the file's bytes. */
  open(see: (bytes: number) => void): AsyncIterable<Uint8Array>;
  /** A custom archive has a table of contents; SQL has only its two ends. */
  what: { kind: "custom"; contents: ArchiveContents } | { kind: "sql"; file: SqlFile };
}

const PACKED = Buffer.from([0x1f, 0x8b]);

/** A file that somebody brought: a custom archive, or SQL, which gzip may have packed. @throws HomelabError `input_invalid` */
export async function fileSource(path: string): Promise<LoadSource> {
  const { size: bytes } = await stat(path);
  const head = await headOf(path, 512);
  if (head.subarray(0, 5).toString("latin1") === "PGDMP") {
    const contents = await readContents(createReadStream(path)).catch(refuse);
    return { bytes, open: (see) => readUnpacked(path, false, see), what: { kind: "custom", contents } };
  }
  const isPacked = head.subarray(0, 2).equals(PACKED);
  const { head: text, ...file } = await inspectSql(readUnpacked(path, isPacked)).catch(refuse);
  checkIsSql(text, bytes);
  if (!file.isWhole) refuse(new BrokenArchive("its last line is missing, so it is not the whole of it"));
  return { bytes, open: (see) => readUnpacked(path, isPacked, see), what: { kind: "sql", file } };
}

function checkIsSql(head: Buffer, bytes: number): void {
  if (bytes === 0) throw new HomelabError("input_invalid", "the dump is empty");
  if (head.subarray(0, 5).toString("latin1") === "PGDMP")
    throw new HomelabError("input_invalid", "this is an archive of pg_dump, packed once more", {
      hint: "Unpack it first: gunzip.",
    });
  if (head.subarray(257, 262).toString("latin1") === "ustar" || head.includes(0))
    throw new HomelabError("input_invalid", "this is neither an archive of pg_dump --format=custom nor SQL", {
      hint: "pg_dump --format=custom --file=shop.dump shop makes one.",
    });
}

/** A dump of our own, by its id. @throws HomelabError `not_found` */
export async function storedSource(site: Site, id: string): Promise<LoadSource> {
  const [repository, dump] = await Promise.all([dumpRepository(site), requireDump(site, id)]);
  const { size: bytes } = await stat(dumpPath(repository, dump));
  const contents = await readContents(readDump(repository, dump)).catch(refuse);
  return { bytes, open: (see) => counting(readDump(repository, dump), see), what: { kind: "custom", contents } };
}

/** What is not whole, or no dump at all, is nobody's fault but the dump's. */
function refuse(error: unknown): never {
  if (error instanceof HomelabError) throw error;
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (!(error instanceof BrokenArchive) && !code.startsWith("Z_")) throw error;
  const message = error instanceof BrokenArchive ? error.message : "gzip cannot unpack all of it";
  throw new HomelabError("input_invalid", `this is no whole dump: ${message}`, {
    hint: "Make it, or copy it, once more.",
    cause: error,
  });
}
