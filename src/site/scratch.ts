import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { recoveryParameters, type RecoveryTarget } from "../cluster/recovery.ts";
import { restoreCommand, restoreFiles } from "../engines/pgbackrest/restore.ts";
import {
  startScratchServer,
  stopScratchServer,
  TargetNotReached,
  waitForReplay,
  withinScratch,
  writeRecovery,
  writeScratchFiles,
  type Replayed,
  type ScratchLimits,
  type ScratchServer,
} from "../engines/postgres/scratch.ts";
import type { Session } from "../engines/postgres/sessions.ts";
import { ensureFolder, readJson, readText, remove, writeAtomic } from "../host/files.ts";
import { currentBootId, killProcessesNaming } from "../host/processes.ts";
import type { Site } from "./site.ts";

/** What is restored into scratch. Plain data: it is compared with what a run before this one restored. */
export interface ScratchWish {
  repo: number;
  label: string;
  recovery: RecoveryTarget;
  timeline: number;
  /** Only these databases; all by default. @see RestoreWish */
  databases?: string[];
  /** Processes that copy at once. */
  processes?: number;
}

interface Listening {
  signal?: AbortSignal;
}

/** Folders for sockets, in `run/`: a path of the same length as the live server's own. */
const SOCKET_FOLDERS = Array.from("0123456789abcdefghijklmnopqrstuvwxyz", (digit) => `x${digit}`);

/** Milliseconds that a socket's folder may be without the name of its owner: whoever makes it writes that next. */
const UNNAMED = 60_000;

const ownerFile = (folder: string): string => join(folder, "of");

/** Takes a folder for a socket; making it is what no two can do. */
async function takeSocketFolder(run: string, id: string): Promise<string> {
  const known = await socketFolderOf(run, id);
  if (known) return known;
  for (const name of SOCKET_FOLDERS) {
    const path = join(run, name);
    try {
      await mkdir(path, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") continue;
      throw error;
    }
    await writeAtomic(ownerFile(path), id);
    return path;
  }
  throw new Error(`${SOCKET_FOLDERS.length} restores are under way at once`);
}

async function socketFolderOf(run: string, id: string): Promise<string | undefined> {
  const owners = await Promise.all(SOCKET_FOLDERS.map((name) => readText(ownerFile(join(run, name)))));
  const at = owners.indexOf(id);
  return at === -1 ? undefined : join(run, SOCKET_FOLDERS[at]!);
}

/** The scratch of a run: there is one for each, below `scratch/`, and it goes with the run. */
export async function scratchOf({ topology: { paths } }: Site, id: string): Promise<ScratchServer> {
  const folder = join(paths.scratch, id);
  return {
    folder,
    data: join(folder, "data"),
    socket: (await socketFolderOf(paths.run, id)) ?? join(paths.run, "none"),
    log: join(folder, "postgres.log"),
  };
}

/** Written last: what has it is whole. A machine that was started anew may have lost what was not on its disk yet. */
const markOf = (folder: string): string => join(folder, "restored.json");

const markText = (wish: ScratchWish): string => JSON.stringify({ wish, bootId: currentBootId() });

/** Whether the backup's files are whole in the scratch of this run. */
export async function isRestored({ topology: { paths } }: Site, id: string, wish: ScratchWish): Promise<boolean> {
  const found = await readJson(markOf(join(paths.scratch, id))).catch(() => undefined);
  return JSON.stringify(found) === markText(wish);
}

/**
 * Restores a backup's files into the scratch of a run; where they are whole, nothing is done, and what was left half
 * done is cleared away and begun anew. The live cluster is not touched.
 * @param options.limits memory of the server, and how much it yields to others
 * @param options.onPart how far it is, from 0 to 1
 * @throws HomelabError `process_failed` with pgBackRest's words
 */
export async function restoreToScratch(
  site: Site,
  id: string,
  wish: ScratchWish,
  { limits, signal, onPart }: Listening & { limits?: ScratchLimits; onPart?: (part: number) => void } = {},
): Promise<ScratchServer> {
  const { topology } = site;
  const { paths } = topology;
  if (await isRestored(site, id, wish)) return scratchOf(site, id);
  await removeScratch(site, id);
  const folder = join(paths.scratch, id);
  const [lock, tablespaces, data] = [join(folder, "lock"), join(folder, "tablespaces"), join(folder, "data")];
  for (const path of [paths.scratch, folder, lock, tablespaces, data, join(folder, "spool")])
    await ensureFolder(path, 0o700);
  await takeSocketFolder(paths.run, id);
  const how = { data, lock, tablespaces, archiveOff: true, niceness: limits?.niceness };
  await restoreFiles(topology, { ...wish, ...how }, { signal, onPart });
  const server = await scratchOf(site, id);
  await writeScratchFiles(topology, server, recoveryOf(site, server, wish, wish.recovery), limits);
  await writeAtomic(markOf(folder), markText(wish));
  return server;
}

const recoveryOf = (
  { topology }: Site,
  { folder, data }: ScratchServer,
  wish: ScratchWish,
  target: RecoveryTarget,
) => ({
  restore_command: restoreCommand(topology, { repo: wish.repo, data, folder }),
  ...recoveryParameters(target, wish.timeline),
});

/** What came of a replay. */
export interface ScratchReplay extends Replayed {
  seconds: number;
  /**
   * False when the archive ended before the target: then all of it was replayed. For a moment that is what there is to
   * have back, since nothing was committed between the archive's end and it.
   */
  reached: boolean;
}

/**
 * Starts the restored PostgreSQL and replays the log as far as the wish says; begun again, it waits for the one that runs.
 * @param options.orEnd replay to the end of the archive, where it ends before the target
 * @param options.onSegments how many segments were replayed so far
 * @throws TargetNotReached without `orEnd`; HomelabError `step_failed` when PostgreSQL could not
 */
export async function replayScratch(
  site: Site,
  id: string,
  wish: ScratchWish,
  {
    limits,
    orEnd,
    ...listening
  }: Listening & { limits?: ScratchLimits; orEnd?: boolean; onSegments?: (count: number) => void } = {},
): Promise<ScratchReplay> {
  const server = await scratchOf(site, id);
  const begun = performance.now();
  const seconds = () => (performance.now() - begun) / 1000;
  await startScratchServer(site.topology, server, limits);
  try {
    return { ...(await waitForReplay(server, listening)), seconds: seconds(), reached: true };
  } catch (error) {
    if (!(error instanceof TargetNotReached) || !orEnd) throw error;
  }
  await writeRecovery(server, recoveryOf(site, server, wish, { type: "default" }));
  await startScratchServer(site.topology, server, limits);
  return { ...(await waitForReplay(server, listening)), seconds: seconds(), reached: false };
}

/** A superuser's session in a database of a run's scratch. */
export const inScratch = async <T>(
  site: Site,
  id: string,
  database: string,
  work: (session: Session) => Promise<T>,
): Promise<T> => withinScratch(site.topology, await scratchOf(site, id), database, work);

/** Ends whatever runs in the scratch of a run, and removes it; nothing there is fine. */
export async function removeScratch(site: Site, id: string): Promise<void> {
  const { paths } = site.topology;
  const server = await scratchOf(site, id);
  await stopScratchServer(server);
  // A pgBackRest that outlived whoever started it would go on writing.
  await killProcessesNaming(`${server.folder}/`);
  await remove(server.folder);
  const socket = await socketFolderOf(paths.run, id);
  if (socket) await remove(socket);
}

/**
 * Removes what runs left behind that are over: their process died, and nobody went on with them.
 * @param isUsed whether a run is still under way
 * @returns the ids of those whose scratch was removed
 */
export async function removeAbandonedScratch(site: Site, isUsed: (id: string) => Promise<boolean>): Promise<string[]> {
  const { paths } = site.topology;
  const folders = await readdir(paths.scratch).catch(() => [] as string[]);
  const owners = await Promise.all(SOCKET_FOLDERS.map((name) => readText(ownerFile(join(paths.run, name)))));
  const removed: string[] = [];
  for (const id of new Set([...folders, ...owners.filter((owner) => owner !== undefined)])) {
    if (await isUsed(id)) continue;
    await removeScratch(site, id);
    removed.push(id);
  }
  for (const name of SOCKET_FOLDERS) await removeUnnamed(join(paths.run, name));
  return removed;
}

async function removeUnnamed(folder: string): Promise<void> {
  const made = await stat(folder).catch(() => undefined);
  if (!made || (await readText(ownerFile(folder))) !== undefined) return;
  if (Date.now() - made.mtimeMs > UNNAMED) await remove(folder);
}
