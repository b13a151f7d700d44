import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { HomelabError } from "../core/errors.ts";
import { formatBytes } from "../core/units.ts";
import { freeBytes } from "./machine.ts";

/** So many bytes will be written to where a path is, or will be. */
export interface SpaceNeed {
  path: string;
  bytes: number;
}

/** What stays free whatever is done: PostgreSQL stops when it cannot write its log. */
const RESERVE = 128 * 1024 * 1024;

/** The file system that a path is on, or will be on. */
function deviceOf(path: string): number {
  let at = path;
  while (!existsSync(at)) at = dirname(at);
  return statSync(at).dev;
}

/**
 * Refuses before the first byte what does not fit; needs of the same file system are added up.
 * @throws HomelabError `disk_short`
 */
export function requireSpace(what: string, needs: SpaceNeed[]): void {
  const byDevice = Map.groupBy(needs, ({ path }) => deviceOf(path));
  for (const group of byDevice.values()) {
    const bytes = group.reduce((sum, need) => sum + need.bytes, 0);
    const { path } = group[0]!;
    const free = freeBytes(path);
    if (free >= bytes + RESERVE) continue;
    throw new HomelabError(
      "disk_short",
      `${what} needs ${formatBytes(bytes)} where ${path} is, beside ${formatBytes(RESERVE)} that stay free; ${formatBytes(free)} are free`,
      { hint: "Nothing was written. Free some space, or put that folder onto a larger disk." },
    );
  }
}
