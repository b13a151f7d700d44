import { copyFile, open, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { remove } from "../host/files.ts";

/**
 * Rotates logs that have grown too large: copied aside, then emptied, since the engines keep their file open and
 * append. PostgreSQL's own collector rotates its files by itself.
 */
export async function rotateLogs(folder: string, maxBytes: number, keep: number): Promise<string[]> {
  const rotated: string[] = [];
  for (const name of await readdir(folder)) {
    if (!name.endsWith(".log")) continue;
    const path = join(folder, name);
    if ((await stat(path)).size < maxBytes) continue;
    await rotate(path, keep);
    rotated.push(name);
  }
  return rotated;
}

async function rotate(path: string, keep: number): Promise<void> {
  await remove(`${path}.${keep}`);
  for (let n = keep - 1; n >= 1; n--) await rename(`${path}.${n}`, `${path}.${n + 1}`).catch(() => {});
  await copyFile(path, `${path}.1`);
  const file = await open(path, "r+");
  try {
    await file.truncate(0);
  } finally {
    await file.close();
  }
}
