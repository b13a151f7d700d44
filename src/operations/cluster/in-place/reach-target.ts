import { copyFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { HomelabError } from "../../../core/errors.ts";
import type { Topology } from "../../../cluster/topology.ts";
import { closedReplay, closedTopology, startClosed, waitForClosed } from "../../../engines/postgres/closed-server.ts";
import { PostgresSessions } from "../../../engines/postgres/sessions.ts";
import { placeOf, SEGMENT_BYTES } from "../../../engines/pgbackrest/wal.ts";
import { ensureFolder, exists } from "../../../host/files.ts";
import type { StepContext } from "../../operation.ts";
import { noted } from "./note-cluster.ts";

/** Settings of PostgreSQL for the way to a target. */
export type Recovery = NonNullable<Parameters<typeof startClosed>[1]>;

/** The sessions of the closed server, for the time of `work`; it is started where it does not run. */
export async function withinClosed<T>(
  context: StepContext<unknown>,
  work: (sessions: PostgresSessions, topology: Topology) => Promise<T>,
  recovery?: Recovery,
): Promise<T> {
  const { site, signal, progress } = context;
  await startClosed(site.topology, recovery);
  const onSegments = (count: number) => progress({ done: count * SEGMENT_BYTES, total: null, unit: "bytes" });
  await waitForClosed(site.topology, { signal, onSegments });
  const topology = closedTopology(site.topology);
  const sessions = new PostgresSessions(topology, await site.secrets());
  try {
    return await work(sessions, topology);
  } finally {
    await sessions.end();
  }
}

/**
 * The histories that the data of before knows: a timeline whose history never reached the archive would otherwise be
 * begun a second time, with other WAL under the same names.
 */
async function bringHistories({ site }: StepContext<unknown>, aside: string): Promise<void> {
  const [from, to] = [join(aside, "pg_wal"), join(site.topology.paths.postgresData, "pg_wal")];
  const names = (await readdir(from).catch(() => [])).filter((name) => /^[0-9A-F]{8}\.history$/.test(name));
  for (const name of names) if (!(await exists(join(to, name)))) await copyFile(join(from, name), join(to, name));
}

/** Where restore_command keeps what it fetches ahead: a scratch of the run's own, which goes with it. */
export async function fetchFolder({ site, runId }: StepContext<unknown>): Promise<string> {
  const folder = join(site.topology.paths.scratch, runId);
  for (const path of [folder, join(folder, "lock"), join(folder, "spool")]) await ensureFolder(path, 0o700);
  return folder;
}

const TARGETS = ["", "_lsn", "_name", "_time", "_xid"].map((kind) => `recovery_target${kind}`);

/**
 * The one target, whatever postgresql.auto.conf says. The others come first: PostgreSQL takes even an empty one behind
 * another for a second target, and refuses to start (xlogrecovery.c, error_multiple_recovery_targets).
 */
const only = (recovery: Recovery): Recovery => ({
  ...Object.fromEntries(TARGETS.filter((name) => !(name in recovery)).map((name) => [name, ""])),
  ...recovery,
});

/** What a way ended in. A type alias: it is kept in the journal. */
export type Reached = {
  timeline: number;
  /** When the last transaction that was replayed committed; null when there was none. */
  last_commit: string | null;
};

/**
 * Starts the data on its way, and waits until it is primary on a timeline of its own.
 * @throws TargetNotReached; HomelabError `step_failed`
 */
export async function reach(
  context: StepContext<unknown>,
  recovery: Recovery,
): Promise<{ says: string; output: Reached }> {
  const { topology } = context.site;
  await bringHistories(context, noted(context).aside);
  const [row] = await withinClosed(
    context,
    async (sessions) =>
      (await sessions.admin()).query<{ in_recovery: boolean; segment: string }>(
        `SELECT pg_catalog.pg_is_in_recovery() AS in_recovery,
                pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()) AS segment`,
      ),
    only(recovery),
  );
  if (row!.in_recovery) throw new HomelabError("step_failed", "PostgreSQL is still in recovery");
  const { stopped, lastTransactionAt } = await closedReplay(topology);
  const { timeline } = placeOf(row!.segment);
  return {
    says: `${stopped ?? "recovered to the end of the log"}; timeline ${timeline}`,
    output: { timeline, last_commit: lastTransactionAt },
  };
}
