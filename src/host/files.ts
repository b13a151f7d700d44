import { randomBytes } from "node:crypto";
import { closeSync, constants, fchmodSync, fsync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { chmod, mkdir, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";

/** What has a name that no file can have is not there either. */
const isMissing = (error: unknown): boolean =>
  ["ENOENT", "ENAMETOOLONG"].includes((error as NodeJS.ErrnoException).code ?? "");

/**
 * The text of a file, or undefined if there is none. Our files are small and local: read at once, one takes some
 * microseconds, where the thread pool takes four turns, and under load some milliseconds each.
 */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** A JSON file's value, or undefined if there is none. */
export async function readJson<T>(path: string): Promise<T | undefined> {
  const text = await readText(path);
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

/**
 * Writes a file so that, whatever happens, either the old or the new content is there whole: a temporary file beside
 * it, fsync, rename, fsync of the folder. The mode is set before the first byte.
 */
export async function writeAtomic(path: string, content: string, mode = 0o600): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await writeNew(temporary, content, mode);
    renameSync(temporary, path);
  } catch (error) {
    // What was written so far may be half a secret.
    await remove(temporary);
    throw error;
  }
  await syncFolder(dirname(path));
}

async function writeNew(path: string, content: string, mode: number): Promise<void> {
  const file = openSync(path, "wx", mode);
  try {
    fchmodSync(file, mode);
    writeFileSync(file, content);
    await sync(file);
  } finally {
    closeSync(file);
  }
}

/** The one part that can take long. */
const sync = promisify(fsync);

/** Forces to disk which names are in a folder: a rename is there after a power cut only then. */
export async function syncFolder(path: string): Promise<void> {
  const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await sync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Makes a folder with exactly this mode; an existing one gets it. */
export async function ensureFolder(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true, mode });
  await chmod(path, mode);
}

/** The permission bits of a path, or undefined if there is nothing. */
export async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode & 0o777;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export async function exists(path: string): Promise<boolean> {
  return (await modeOf(path)) !== undefined;
}

/** Removes a file or a folder with all that is in it; nothing there is fine. */
export async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
