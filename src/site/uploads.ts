import { randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { open, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { HomePaths } from "../cluster/home.ts";
import { counting } from "../core/bytes.ts";
import { HomelabError } from "../core/errors.ts";
import { formatBytes } from "../core/units.ts";
import { freeBytes } from "../host/machine.ts";
import { ensureFolder, remove } from "../host/files.ts";

/** Names an upload until it was imported. */
export const uploadId = /^[0-9a-f]{24}$/;

/** Where an upload lies, closed to others. */
export const uploadPath = (paths: Pick<HomePaths, "dumps">, id: string): string =>
  join(uploadFolder(paths), `${id}.upload`);

/** Not below `scratch`: what is there goes with its run, and an upload comes before there is one. */
const uploadFolder = ({ dumps }: Pick<HomePaths, "dumps">): string => join(dumps, "uploads");

/** Bytes that stay free whatever is uploaded: PostgreSQL must not stop for it. */
const RESERVE = 512 * 1024 * 1024;

/** Milliseconds after which an upload that nobody imports is removed. */
const FORGOTTEN = 86_400_000;

/** Bytes between two looks at the free space. */
const LOOK_AGAIN = 64 * 1024 * 1024;

/** Keeps what is uploaded, whatever it is, as far as there is room. @throws HomelabError `disk_short` */
export async function receiveUpload(
  paths: Pick<HomePaths, "dumps">,
  source: AsyncIterable<Uint8Array>,
  announced: number | undefined,
  signal?: AbortSignal,
): Promise<string> {
  await ensureFolder(uploadFolder(paths), 0o700);
  await removeForgotten(uploadFolder(paths));
  if (announced !== undefined) checkRoom(paths.dumps, announced);
  const id = randomBytes(12).toString("hex");
  const partial = `${uploadPath(paths, id)}.partial`;
  let unseen = 0;
  const guarded = counting(source, (bytes) => {
    if ((unseen += bytes) < LOOK_AGAIN) return;
    unseen = 0;
    checkRoom(paths.dumps, LOOK_AGAIN);
  });
  try {
    await pipeline(Readable.from(guarded), createWriteStream(partial, { mode: 0o600, flags: "wx" }), { signal });
    await rename(partial, uploadPath(paths, id));
  } catch (error) {
    await remove(partial);
    throw error;
  }
  return id;
}

function checkRoom(folder: string, bytes: number): void {
  const free = freeBytes(folder);
  if (free - bytes > RESERVE) return;
  throw new HomelabError("disk_short", `${formatBytes(bytes)} more do not fit: ${formatBytes(free)} are free`, {
    hint: `${formatBytes(RESERVE)} stay free for PostgreSQL. Make some room, and try again.`,
  });
}

async function removeForgotten(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const file = await stat(path).catch(() => undefined);
    if (file && Date.now() - file.mtimeMs > FORGOTTEN) await remove(path);
  }
}

/** A file as it is read, unpacked where gzip packed it; `see` hears of the bytes of the file itself. */
export function readUnpacked(
  path: string,
  isPacked: boolean,
  see: (bytes: number) => void = () => {},
): AsyncIterable<Uint8Array> {
  const read = Readable.from(counting(createReadStream(path), see));
  if (!isPacked) return read;
  const unpacked = createGunzip();
  read.on("error", (error) => unpacked.destroy(error));
  return read.pipe(unpacked);
}

/** The first bytes of a file. */
export async function headOf(path: string, bytes: number): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
