import { statfsSync } from "node:fs";
import { stat } from "node:fs/promises";
import type { Health } from "../core/health.ts";
import { formatBytes } from "../core/units.ts";
import { freeBytes } from "../host/machine.ts";
import type { Site } from "../site/site.ts";
import { walFolder } from "./archiving.ts";

/** Bytes below which it is urgent, and below which it is time; of a small volume of the WAL's own, these parts of it. */
const LEAST = 500_000_000;
const LITTLE = 5_000_000_000;
const LEAST_PART = 0.15;
const LITTLE_PART = 0.4;

/** Whether there is room: where the home is, and where the WAL is, should that be a volume of its own. */
export async function diskHealth({ topology }: Site): Promise<Health> {
  const wal = walFolder(topology);
  const free = freeBytes(topology.paths.root);
  if (!(await isApart(topology.paths.root, wal))) return judge(free, LEAST, LITTLE, `${formatBytes(free)} free`, {});
  const { blocks, bsize } = statfsSync(wal);
  const size = blocks * bsize;
  const freeForWal = freeBytes(wal);
  const says = `${formatBytes(free)} free, for the WAL ${formatBytes(freeForWal)} of ${formatBytes(size)}`;
  const facts = { wal_free_bytes: freeForWal, wal_size_bytes: size };
  const ofHome = judge(free, LEAST, LITTLE, says, facts);
  if (ofHome.state === "down") return ofHome;
  const ofWal = judge(
    freeForWal,
    Math.min(LEAST, size * LEAST_PART),
    Math.min(LITTLE, size * LITTLE_PART),
    says,
    facts,
  );
  return ofWal.state === "ok" ? ofHome : { ...ofWal, facts: { ...ofHome.facts, ...facts } };
}

async function isApart(root: string, wal: string): Promise<boolean> {
  const [home, own] = await Promise.all([root, wal].map((path) => stat(path).catch(() => undefined)));
  return home !== undefined && own !== undefined && home.dev !== own.dev;
}

function judge(free: number, least: number, little: number, says: string, more: NonNullable<Health["facts"]>): Health {
  const facts = { free_bytes: free, ...more };
  if (free < least)
    return {
      state: "down",
      says,
      facts,
      hint: "PostgreSQL stops when its WAL finds no space. Free some now; has it stopped, homelab up makes a little.",
    };
  if (free < little)
    return { state: "degraded", says, facts, hint: "Free some space before PostgreSQL runs out of it." };
  return { state: "ok", says, facts };
}
