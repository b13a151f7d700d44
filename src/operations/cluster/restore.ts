import { z } from "zod";
import { HomelabError } from "../../core/errors.ts";
import { formatBytes, formatSeconds } from "../../core/units.ts";
import { repositoryInfo } from "../../engines/pgbackrest/client.ts";
import { requireSpace, type SpaceNeed } from "../../host/space.ts";
import { chooseRestore, type ChosenRestore, type TargetWish } from "../../site/restore-target.ts";
import { expectedTime, readSpeeds } from "../../site/restore-speed.ts";
import type { Site } from "../../site/site.ts";
import type { Guard, Operation, Step, StepContext } from "../operation.ts";
import { restoreTargetFields } from "../restore-target-fields.ts";
import { proveConnections } from "../steps/prove-connections.ts";
import { startAgentStep } from "../steps/start-agent.ts";
import { archiveLastWal } from "./in-place/archive-last-wal.ts";
import { bringBackRecords } from "./in-place/bring-back-records.ts";
import { keepRecords } from "./in-place/keep-records.ts";
import { canBePutAside, noteCluster, noted, sessionIfThere, whatGoes } from "./in-place/note-cluster.ts";
import { openPostgres } from "./in-place/open-postgres.ts";
import { poolsHeld } from "./in-place/pools-held.ts";
import { repairLogins, type Repaired } from "./in-place/repair-logins.ts";
import { chosen, reachTarget, restoreDataFiles } from "./in-place/restore-files.ts";
import type { Reached } from "./in-place/reach-target.ts";
import { setAside } from "./in-place/set-aside.ts";
import { settle } from "./in-place/settle.ts";
import { stopPostgres } from "./in-place/stop-postgres.ts";

const restoreInput = z.strictObject({
  cluster: z.string().min(1).max(31).describe("The cluster's own name, typed: everything in it goes back"),
  ...restoreTargetFields,
});

type RestoreInput = z.infer<typeof restoreInput>;
type Context = StepContext<RestoreInput>;

const wishOf = ({ cluster: _name, ...wish }: RestoreInput): TargetWish => wish;

/** Of a cluster that does not run, the latest is what the archive has. */
const choose = async ({ input, site, signal }: Context, archived?: string): Promise<ChosenRestore> => {
  const canArchive = input.latest === true || (await sessionIfThere(site)) !== undefined;
  return chooseRestore(site, wishOf(input), { signal, canArchive, archived });
};

const isMeant: Guard<RestoreInput> = async ({ input, site }) => {
  const { scope } = site.topology;
  if (input.cluster === scope) return;
  throw new HomelabError("restore_refused", `this cluster is ${scope}, not ${input.cluster}`, {
    hint: "The name is asked for so that no other cluster is restored over.",
  });
};

const targetIsThere: Guard<RestoreInput> = async (context) => {
  const choice = await choose(context);
  await noBackupRuns(context, choice.repo);
  requireSpace("a restore beside the present data, which is kept,", spaceNeeds(context.site, choice));
};

/** @throws HomelabError `busy`; a backup would copy a cluster that is being replaced */
async function noBackupRuns({ site, signal }: Context, repo: number): Promise<void> {
  if (!(await repositoryInfo(site.topology, repo, { signal })).running) return;
  throw new HomelabError("busy", "a backup is being made", { hint: "Try again when it has ended: homelab op list." });
}

/** WAL that stays on disk while it is replayed: PostgreSQL's max_wal_size, and what is fetched ahead of it. */
const MOST_WAL = 2 * 1024 ** 3;
const FETCHED = 256 * 1024 * 1024;

/** The present data stays, so all of it must fit beside. */
const spaceNeeds = ({ topology: { paths } }: Site, { database_bytes, wal_bytes }: ChosenRestore): SpaceNeed[] => [
  { path: paths.data, bytes: database_bytes + Math.min(wal_bytes, MOST_WAL) },
  { path: paths.scratch, bytes: Math.min(wal_bytes, FETCHED) },
];

/** "back 26 minutes; writes after 2026-11-20T14:05:00Z are lost". */
function howFar(recovery: ChosenRestore, now: number): string {
  const { as_of, recovery: target } = recovery;
  if (as_of !== null) {
    const back = Math.max(0, now - Date.parse(as_of)) / 1000;
    return `back ${formatSeconds(back)}; writes after ${as_of} are lost`;
  }
  if (target.type === "default") return "to what the archive has last; what was not archived is lost";
  const point = "target" in target ? target.target : "";
  return `back to ${{ xid: "transaction", lsn: "position", name: "restore point", time: "" }[target.type as "xid"]} ${point}; later writes are lost`;
}

/** What is copied and replayed, and how long the last ones took. */
async function howLong(site: Site, { label, repository, database_bytes, wal_bytes }: ChosenRestore): Promise<string> {
  const { restore, replay } = await readSpeeds(site);
  const work = `from ${label} in ${repository}, ${formatBytes(database_bytes)} to copy and ${formatBytes(wal_bytes)} of log to replay`;
  if (!restore || (!replay && wal_bytes > 0)) return `${work}, ${expectedTime(database_bytes, undefined)}`;
  const seconds = database_bytes / restore + (replay ? wal_bytes / replay : 0);
  return `${work}, about ${formatSeconds(seconds)}`;
}

const noteWhatGoes = noteCluster<RestoreInput>(
  async (context) => {
    const { site } = context;
    const choice = await choose(context);
    const goes = await whatGoes(context, howFar(choice, site.clock.now()));
    return `${goes}. It goes ${await howLong(site, choice)}`;
  },
  async () => ({}),
);

/** Looked at once more with all that is in the archive now, before anything is stopped: a segment may be missing. */
const chooseBackup: Step<RestoreInput> = {
  name: "choose-backup",
  plan: () => "choose the backup, and see that no segment of the log is missing up to the target",
  async run(context) {
    const choice = await choose(context, context.output<{ segment: string }>("archive-last-wal")?.segment);
    return { says: `${choice.label} in ${choice.repository}, timeline ${choice.timeline}`, output: choice };
  },
  deadline: 180,
};

/** What it becomes, for a person who finds the kept directory. */
const became = (context: Context): string => {
  const { label, as_of, recovery } = chosen(context);
  return `a restore of ${label} to ${as_of ?? ("target" in recovery ? recovery.target : "the latest")}`;
};

/** Takes the whole cluster back in its place; what was there is kept. */
export const clusterRestore: Operation<RestoreInput> = {
  name: "cluster.restore",
  summary: "Take the whole cluster back to a moment, in its place; what was there is kept for a while",
  title: ({ cluster, to, latest, backup }) =>
    `Restore cluster ${cluster} to ${to ?? (latest ? "the latest" : (backup ?? "a target"))}`,
  scope: "admin",
  route: { method: "POST", path: "/api/cluster/restore" },
  command: "db restore",
  input: restoreInput,
  confirm: ({ cluster }) => cluster,
  locks: () => ["cluster", "backup"],
  guards: [isMeant, canBePutAside, targetIsThere],
  steps: [
    startAgentStep,
    noteWhatGoes,
    archiveLastWal,
    chooseBackup,
    poolsHeld([
      keepRecords,
      stopPostgres,
      setAside(became),
      restoreDataFiles,
      reachTarget,
      repairLogins,
      bringBackRecords,
      settle,
      openPostgres,
    ]),
    proveConnections,
  ],
  async result(context) {
    const { databases, aside, answers } = noted(context);
    const { unknown, absent, mended } = context.output<Repaired>("repair-logins")!;
    const { label, repository, as_of } = chosen(context);
    return {
      cluster: context.site.topology.scope,
      backup: label,
      repository,
      as_of,
      last_commit: context.output<Reached>("reach-target")?.last_commit ?? null,
      databases: databases.map(({ name }) => name).filter((name) => !absent.includes(name)),
      gone: absent,
      passwords_mended: mended,
      passwords_unknown: unknown,
      records_kept: answers,
      kept: aside,
      kept_for: context.site.topology.settings.backup.keep_replaced,
    };
  },
};
