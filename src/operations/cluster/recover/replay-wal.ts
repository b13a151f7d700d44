import { join } from "node:path";
import { PLATFORM_DATABASE } from "../../../cluster/platform-roles.ts";
import type { Topology } from "../../../cluster/topology.ts";
import { HomelabError } from "../../../core/errors.ts";
import type { Json } from "../../../core/json.ts";
import { indexOfLsn, placeOf } from "../../../engines/pgbackrest/wal.ts";
import { renderRecoveryServer, recoverySocketFolder } from "../../../engines/postgres/recovery-server.ts";
import { PostgresSessions } from "../../../engines/postgres/sessions.ts";
import { ensureFolder, exists, readText, writeAtomic } from "../../../host/files.ts";
import { endLostRuns, HAS_JOURNAL } from "../../../store/lost-runs.ts";
import type { Step, StepContext } from "../../operation.ts";
import type { RecoveryChoice } from "./choose-backup.ts";
import type { RecoverInput } from "./input.ts";
import { replay } from "./replay-server.ts";
import { choiceOf, endLeftovers, isMarked, nameOf, replayedPath } from "./restore-files.ts";

type Context = StepContext<RecoverInput>;

/** What a replay came to. */
export interface Replayed {
  [key: string]: Json;
  system_identifier: string;
  timeline: number;
  segments: number;
  /** When the last transaction was committed that is there again; null where none came after the backup. */
  last_transaction_at: string | null;
}

/** The same cluster, seen from within: it is on a timeline of its own from here on. */
async function settle(
  topology: Topology,
  sessions: PostgresSessions,
): Promise<Pick<Replayed, "timeline" | "system_identifier">> {
  const admin = await sessions.admin();
  await admin.query("CHECKPOINT");
  const [row] = await admin.query<{ timeline: number; system: string }>(
    `SELECT (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()) AS timeline,
            (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS system`,
  );
  const platform = await admin.query("SELECT FROM pg_catalog.pg_database WHERE datname = $1", [PLATFORM_DATABASE]);
  if (platform.length > 0)
    await sessions.within(PLATFORM_DATABASE, async (session) => {
      const [journal] = await session.query<{ there: boolean }>(HAS_JOURNAL);
      if (journal!.there) await session.transaction([...endLostRuns]);
    });
  await sessions.end();
  return { timeline: row!.timeline, system_identifier: row!.system };
}

/**
 * PostgreSQL takes a segment that it cannot get for the end of the WAL. Where it left the old timeline stands in the
 * history of the new one.
 */
async function refuseShortReplay(
  { paths }: Topology,
  timeline: number,
  { to, last_segment }: RecoveryChoice,
): Promise<void> {
  if (to !== null) return;
  const name = timeline.toString(16).toUpperCase().padStart(8, "0");
  const history = await readText(join(paths.postgresData, "pg_wal", `${name}.history`));
  const left = [...(history ?? "").matchAll(/^\d+\s+([0-9A-F]+\/[0-9A-F]+)/gm)].at(-1)?.[1];
  if (left && indexOfLsn(left) >= placeOf(last_segment).index) return;
  throw new HomelabError(
    "step_failed",
    `replay ended at ${left ?? "an unknown place"}, before the last archived segment ${last_segment}`,
    { hint: "The repository lacks WAL, or cannot be read: homelab logs pgbackrest tells more." },
  );
}

async function run(context: Context): Promise<Replayed> {
  const { site, signal } = context;
  const { topology } = site;
  const choice = choiceOf(context);
  await endLeftovers(topology);
  await ensureFolder(recoverySocketFolder(topology), 0o700);
  await ensureFolder(join(topology.paths.etc, "recovery"), 0o700);
  for (const file of renderRecoveryServer(topology)) await writeAtomic(file.path, file.content, file.mode);
  const paths = { ...topology.paths, run: recoverySocketFolder(topology) };
  const sessions = new PostgresSessions({ ...topology, paths }, await site.secrets());
  try {
    return await replay(topology, { choice, signal, progress: context.progress }, async (log) => {
      const settled = await settle(topology, sessions);
      await refuseShortReplay(topology, settled.timeline, choice);
      return { ...settled, segments: log.segments, last_transaction_at: log.lastTransactionAt ?? null };
    });
  } finally {
    await sessions.end();
  }
}

/** Replays what was archived, and ends PostgreSQL cleanly again: Patroni starts it then, as it would after a reboot. */
export const replayWal: Step<RecoverInput> = {
  name: "replay-wal",
  plan: ({ input }) => `replay the WAL of the repository up to ${input.to ?? "its end"}`,
  check: async (context) =>
    (await exists(context.site.topology.paths.bootstrapped)) ||
    (await isMarked(context, replayedPath(context.site.topology))),
  async run(context) {
    const replayed = await run(context);
    const mark = { choice: nameOf(choiceOf(context)), ...replayed };
    await writeAtomic(replayedPath(context.site.topology), `${JSON.stringify(mark)}\n`);
    const last = replayed.last_transaction_at ?? "the backup itself";
    return { says: `${replayed.segments} segments, up to ${last}; timeline ${replayed.timeline}`, output: replayed };
  },
  // Between two segments; and at its end all changed pages are written.
  deadline: 1800,
};
