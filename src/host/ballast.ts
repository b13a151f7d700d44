import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exists, remove } from "./files.ts";
import { freeBytes } from "./machine.ts";
import { runAny } from "./run.ts";

/** Three segments of WAL: enough for PostgreSQL to recover and to archive, from where on it makes room by itself. */
export const BALLAST_BYTES = 48 * 1024 * 1024;

/** Below this PostgreSQL cannot begin another segment. */
const FULL = 24 * 1024 * 1024;

/** PostgreSQL leaves alone what is in `pg_wal` and has not a segment's name; so do backups. */
const ballastPath = (walFolder: string): string => join(walFolder, "homelab-ballast");

/**
 * Keeps a file of no use where the WAL lies. A PostgreSQL that found no space for its WAL cannot even recover before there
 * is some (measured, 15): this is what can be given up then, at once. Answers whether it was made now.
 */
export async function keepBallast(walFolder: string): Promise<boolean> {
  const path = ballastPath(walFolder);
  if (!(await exists(walFolder)) || (await exists(path)) || freeBytes(walFolder) < 3 * BALLAST_BYTES) return false;
  // Where the file system can reserve, nothing has to be written.
  const { exitCode } = await runAny({ argv: ["fallocate", "-l", String(BALLAST_BYTES), path], timeout: 30 });
  if (exitCode !== 0) await writeFile(path, Buffer.alloc(BALLAST_BYTES, "ballast "), { mode: 0o600 });
  return true;
}

/** Gives the ballast up where PostgreSQL finds no space. Answers the bytes that came free. */
export async function releaseBallast(walFolder: string): Promise<number> {
  const path = ballastPath(walFolder);
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size === 0 || freeBytes(walFolder) >= FULL) return 0;
  await remove(path);
  return size;
}
