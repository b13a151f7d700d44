import { OFF } from "../../config/schedule.ts";
import { HomelabError } from "../../core/errors.ts";
import { listDatabases } from "../../engines/postgres/databases.ts";
import type { Journal, Run } from "../../journal/journal.ts";
import { listDumps } from "../../site/dump-store.ts";
import type { Site } from "../../site/site.ts";
import type { Runner } from "../runner.ts";
import { dueDumps } from "./dump-retention.ts";

/** Milliseconds for which a dump that failed is not tried again. */
const PAUSE = 3_600_000;

/** The first that is due and did not fail lately; one that fails must not keep the others from theirs. */
export const nextDump = (
  due: string[],
  runs: Pick<Run, "state" | "input" | "createdAt">[],
  now: number,
): string | undefined =>
  due.find(
    (name) =>
      !runs.some(
        ({ state, input, createdAt }) =>
          state !== "completed" &&
          (input as { name?: string } | null)?.name === name &&
          now - Date.parse(createdAt) < PAUSE,
      ),
  );

/**
 * Dumps one database, where the schedule of dumps says so: one at a time, so that a backup of the cluster that falls due
 * meanwhile waits no longer than that. What is due is worked out of the repository's folder each time.
 */
export async function keepDumps(
  { site, journal }: { site: Site; journal: Pick<Journal, "list"> },
  runner: Runner,
): Promise<string[]> {
  const { dump_schedule: schedule } = site.topology.settings.database;
  if (schedule === OFF) return [];
  const now = site.clock.now();
  const rows = await listDatabases(await (await site.postgres()).admin());
  const databases = rows.filter(({ anchor }) => anchor && !anchor.deleted).map(({ name }) => name);
  const due = dueDumps({ schedule, databases, dumps: await listDumps(site), now });
  if (due.length === 0) return [];
  const name = nextDump(due, await journal.list({ operation: "database.backup", limit: 1000 }), now);
  if (name === undefined) return [];
  try {
    await runner.start("database.backup", { name }, { caller: "schedule", waitForLock: 1 });
  } catch (error) {
    if (error instanceof HomelabError && error.code === "busy") return [];
    throw error;
  }
  return [`${name} was dumped: its time has come (${schedule})`];
}
