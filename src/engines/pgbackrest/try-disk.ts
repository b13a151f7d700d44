import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, rmdir, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { DiskRepository } from "../../config/storage.ts";
import { errorMessage, HomelabError } from "../../core/errors.ts";
import { formatBytes } from "../../core/units.ts";
import { exists, writeAtomic } from "../../host/files.ts";
import { sentenceOf, type Fault } from "./trouble.ts";

type DiskPlace = Pick<DiskRepository, "type" | "name" | "path">;

/** Less than this is no place for backups: a few segments of WAL, and it is full. */
const LEAST_FREE = 64 * 1024 * 1024;

const CODES: Record<string, Fault> = {
  EACCES: "closed",
  EPERM: "closed",
  EROFS: "read-only",
  ENOSPC: "full",
  EDQUOT: "full",
  ENOENT: "path-missing",
  EIO: "disk-broken",
};

/** What is free for a repository on a disk, in bytes; undefined where that cannot be told. */
export async function freeBytesOf({ path }: Pick<DiskRepository, "path">): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/**
 * Makes a folder and those on the way to it; answers what it made, the innermost first. One by one: Node's own recursion
 * never ends below a folder that takes none, such as /proc (measured, 24.21).
 */
async function makeFolder(path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let at = path; !(await exists(at)); at = dirname(at)) missing.push(at);
  for (const each of missing.toReversed()) await mkdir(each, 0o700);
  return missing;
}

/**
 * Does in the folder all that pgBackRest does there: writes, reads, lists and deletes a file. The folder is made where it
 * is missing, and taken away again where it cannot be used.
 * @throws HomelabError `storage_unusable`, with what is the matter
 */
export async function tryDisk(place: DiskPlace): Promise<{ free: number | undefined }> {
  let made: string[] = [];
  try {
    made = await makeFolder(place.path);
    await tryFile(place.path);
    const free = await freeBytesOf(place);
    if (free === undefined || free >= LEAST_FREE) return { free };
    throw new HomelabError("storage_unusable", `${place.path} has only ${formatBytes(free)} free`, {
      hint: "A single day of WAL takes more: choose a larger disk.",
    });
  } catch (error) {
    // Only what is empty goes.
    for (const each of made) await rmdir(each).catch(() => {});
    throw explained(error, place);
  }
}

async function tryFile(folder: string): Promise<void> {
  const token = randomBytes(12).toString("hex");
  const path = join(folder, `homelab-test-${token}`);
  try {
    await writeAtomic(path, token);
    const isThere = (await readdir(folder)).includes(`homelab-test-${token}`);
    if (!isThere || (await readFile(path, "utf8")) !== token)
      throw new HomelabError("storage_unusable", `what was written to ${folder} did not come back`, {
        hint: "Take another disk.",
      });
  } finally {
    await rm(path, { force: true });
  }
}

function explained(error: unknown, place: DiskPlace): unknown {
  if (error instanceof HomelabError) return error;
  const fault = CODES[(error as NodeJS.ErrnoException).code ?? ""];
  const { says, hint } = fault
    ? sentenceOf(fault, place)
    : { says: errorMessage(error), hint: "Name a folder that the user homelab may write to." };
  return new HomelabError("storage_unusable", says, { hint, cause: error });
}
