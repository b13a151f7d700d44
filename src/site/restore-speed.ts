import { join } from "node:path";
import { readJson, writeAtomic } from "../host/files.ts";
import { formatSeconds } from "../core/units.ts";
import type { Site } from "./site.ts";

/** What the last restores were measured at, in bytes a second. */
export interface RestoreSpeeds {
  /** Of the cluster's files. */
  restore?: number;
  /** Of log that was replayed. */
  replay?: number;
  /** Of one database that was moved. */
  copy?: number;
}

const speedsPath = ({ topology }: Site): string => join(topology.paths.state, "restore-speed.json");

/** What was measured so far; nothing before the first restore. */
export const readSpeeds = async (site: Site): Promise<RestoreSpeeds> =>
  (await readJson<RestoreSpeeds>(speedsPath(site)).catch(() => undefined)) ?? {};

/** Seconds below which a measurement says more of the start than of the speed. */
const SHORTEST = 0.2;

/** Notes a measurement; the newest one counts. */
export async function noteSpeed(site: Site, what: keyof RestoreSpeeds, bytes: number, seconds: number): Promise<void> {
  if (seconds < SHORTEST || bytes === 0) return;
  const known = await readSpeeds(site);
  await writeAtomic(speedsPath(site), JSON.stringify({ ...known, [what]: Math.round(bytes / seconds) }));
}

/** How long so many bytes take, in words. Nothing is guessed: before anything was measured it is not known. */
export const expectedTime = (bytes: number, speed: number | undefined): string =>
  speed ? `about ${formatSeconds(bytes / speed)}` : "for a time that is unknown until it was measured once";
