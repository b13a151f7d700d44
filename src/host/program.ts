import { copyFile, constants, link, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ensureFolder, exists, readText } from "./files.ts";

/** The built program and the Node that runs it. */
export interface Program {
  /** Changes with every build. */
  build: string;
  /** The folder of the bundles. */
  folder: string;
  node: string;
}

/** The program of a folder of bundles, run by this very Node. */
export async function programIn(folder: string): Promise<Program> {
  const build = (await readText(join(folder, "build-id")))?.trim() ?? "development";
  return { build, folder, node: process.execPath };
}

/**
 * Copies the program below the home, so that neither an update nor the loss of the checkout touches what runs, and so
 * that the engines' user can read it. Answers the program there.
 */
export async function installProgram(program: Program, appFolder: string): Promise<Program> {
  const folder = join(appFolder, program.build);
  const installed = { build: program.build, folder, node: join(folder, "node") };
  if (await exists(folder)) return installed;
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await ensureFolder(appFolder, 0o755);
  await ensureFolder(partial, 0o755);
  for (const name of await readdir(program.folder)) {
    await copyFile(join(program.folder, name), join(partial, name), constants.COPYFILE_FICLONE);
  }
  await linkOrCopy(program.node, join(partial, "node"));
  await rename(partial, folder);
  return installed;
}

/** Removes the builds that nobody runs any more. */
export async function removeOldBuilds(appFolder: string, used: string[]): Promise<void> {
  for (const name of await readdir(appFolder)) {
    if (!used.includes(name)) await rm(join(appFolder, name), { recursive: true, force: true });
  }
}

/** Node is 120 MB: a link where the file system and its rules allow one. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyFile(from, to, constants.COPYFILE_FICLONE));
}
