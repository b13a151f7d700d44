import { join } from "node:path";
import { stableStringify } from "../../../core/json.ts";
import { formatBytes } from "../../../core/units.ts";
import { restoreFiles as restoreBackup } from "../../../engines/pgbackrest/restore.ts";
import { ensureFolder, exists, readJson, remove, writeAtomic } from "../../../host/files.ts";
import { killProcessesNaming, stopLeftover } from "../../../host/processes.ts";
import { requireSpace } from "../../../host/space.ts";
import type { Topology } from "../../../cluster/topology.ts";
import type { Step, StepContext } from "../../operation.ts";
import type { RecoveryChoice } from "./choose-backup.ts";
import type { RecoverInput } from "./input.ts";

type Context = StepContext<RecoverInput>;

/** Written once all files are in their places; it names what they are of. */
const restoredPath = ({ paths }: Topology): string => join(paths.data, "restored.json");

/** Written once PostgreSQL has replayed what it should, and was ended cleanly. */
export const replayedPath = ({ paths }: Topology): string => join(paths.data, "replayed.json");

/** The backup of this run, and the moment it goes to: another choice makes what was restored worthless. */
export const choiceOf = ({ output }: Context): RecoveryChoice => output<RecoveryChoice>("choose-backup")!;

/** Whether a mark is of this very choice. */
export async function isMarked(context: Context, path: string): Promise<boolean> {
  const choice = context.output<RecoveryChoice>("choose-backup");
  if (!choice) return false;
  const mark = await readJson<{ choice: string }>(path);
  return mark?.choice === nameOf(choice);
}

/** What tells one choice from another: WAL may have come meanwhile, and changes nothing of the files. */
export const nameOf = ({ repository, label, to }: RecoveryChoice): string => stableStringify({ repository, label, to });

/** A restore whose caller was killed goes on by itself, and so does a server that replays: both are ended first. */
export async function endLeftovers({ paths }: Topology): Promise<void> {
  const pidFile = join(paths.postgresData, "postmaster.pid");
  await stopLeftover({ pidFile, stop: { signal: "SIGINT", grace: 60 } });
  await killProcessesNaming(paths.postgresData);
}

/** Room beside the files themselves: for WAL while it is replayed. */
const ROOM = 1_000_000_000;

async function restore(context: Context): Promise<void> {
  const { site, signal, progress } = context;
  const { topology } = site;
  const { postgresData } = topology.paths;
  const choice = choiceOf(context);
  for (const mark of [restoredPath(topology), replayedPath(topology)]) await remove(mark);
  await endLeftovers(topology);
  // Of a server that was killed: pgBackRest would take it for a running one.
  await remove(join(postgresData, "postmaster.pid"));
  const delta =
    (await exists(join(postgresData, "backup.manifest"))) || (await exists(join(postgresData, "PG_VERSION")));
  if (!delta) {
    requireSpace("the recovery", [{ path: topology.paths.data, bytes: choice.database_bytes + ROOM }]);
    await remove(postgresData);
  }
  await ensureFolder(postgresData, 0o700);
  const total = choice.database_bytes;
  const onPart = (part: number) => progress({ done: Math.round(part * total), total, unit: "bytes" });
  const recovery = choice.to === null ? ({ type: "default" } as const) : ({ type: "time", target: choice.to } as const);
  const { number: repo, label, timeline } = choice;
  await restoreBackup(topology, { repo, label, data: postgresData, recovery, timeline, delta }, { signal, onPart });
}

/**
 * The cluster's files, as a backup has them. One that was broken off is gone on with; without the mark at its end,
 * nothing of it is started.
 */
export const restoreFiles: Step<RecoverInput> = {
  name: "restore-files",
  plan: ({ site }) => `restore the cluster's files into ${site.topology.paths.postgresData}`,
  check: async (context) =>
    (await exists(context.site.topology.paths.bootstrapped)) ||
    (await isMarked(context, restoredPath(context.site.topology))),
  async run(context) {
    const choice = choiceOf(context);
    await restore(context);
    const mark = `${JSON.stringify({ choice: nameOf(choice) })}\n`;
    await writeAtomic(restoredPath(context.site.topology), mark);
    return { says: `${formatBytes(choice.database_bytes)} of ${choice.label}` };
  },
  // Between two files: one of 1 GB may come over a slow line.
  deadline: 3600,
};
