import { HomelabError } from "../../core/errors.ts";
import { noteOf } from "../../engines/pgbackrest/annotations.ts";
import type { Journal } from "../../journal/journal.ts";
import { goodBackups, type RepositoryCatalogue } from "../../site/backup-catalogue.ts";
import type { Site } from "../../site/site.ts";
import { dueBackup, isDue, retryAt, schedulesOf } from "../../site/timetable.ts";
import type { Runner } from "../runner.ts";

/** What the timetable is kept with. */
export interface TimetableParts {
  site: Pick<Site, "topology" | "clock">;
  journal: Pick<Journal, "list">;
  /** The repositories: as they are now, or as they were seen lately. */
  catalogues(now: boolean): Promise<RepositoryCatalogue[]>;
}

/** Something that the timetable wants to be started. */
interface Wanted {
  operation: string;
  input: object;
  says: string;
}

/** While one of these runs no backup is begun: the machine is being set up, or the repositories are in use. A proof only reads. */
const BUSY = /^(cluster\.|backup\.(?!verify))/;

/** While one of these runs no proof is begun: it is to be of what is newest. */
const BUSY_FOR_PROOFS = /^(cluster|backup)\./;

/**
 * Starts what is due: a backup, else a check of the repositories. What is due is worked out of the repositories and the
 * journal each time, so nothing of it is lost with a process. Answers once it has ended.
 */
export const keepTimetable = (parts: TimetableParts, runner: Runner): Promise<string[]> =>
  keep(
    parts,
    runner,
    BUSY,
    async (catalogues) => (await backupWanted(parts, catalogues)) ?? checkWanted(parts, catalogues),
  );

/** The same for proofs. They take long, and backups go on meanwhile. */
export const keepProofs = (parts: TimetableParts, runner: Runner): Promise<string[]> =>
  keep(parts, runner, BUSY_FOR_PROOFS, (catalogues) => proofWanted(parts, catalogues));

async function keep(
  { journal, catalogues }: TimetableParts,
  runner: Runner,
  busy: RegExp,
  wantedIn: (catalogues: RepositoryCatalogue[]) => Promise<Wanted | undefined>,
): Promise<string[]> {
  const running = await journal.list({ state: "running", limit: 50 });
  if (running.some(({ operation }) => busy.test(operation))) return [];
  if (!(await wantedIn(await catalogues(false)))) return [];
  // Somebody may have made it since it was looked.
  const wanted = await wantedIn(await catalogues(true));
  if (!wanted) return [];
  try {
    await runner.start(wanted.operation, wanted.input, { caller: "schedule", waitForLock: 1 });
  } catch (error) {
    // Somebody was quicker: it is looked at again when that one has ended.
    if (error instanceof HomelabError && error.code === "busy") return [];
    throw error;
  }
  return [wanted.says];
}

const runsOf = ({ journal }: TimetableParts, operation: string) => journal.list({ operation, limit: 20 });

const mayTry = async (parts: TimetableParts, operation: string): Promise<boolean> =>
  retryAt(operation, await runsOf(parts, operation)) <= parts.site.clock.now();

/** When an operation was last brought to its end; undefined when it never was. */
async function lastDone(parts: TimetableParts, operation: string): Promise<number | undefined> {
  const last = (await runsOf(parts, operation)).find(({ state }) => state === "completed");
  return last && Date.parse(last.createdAt);
}

async function backupWanted(parts: TimetableParts, catalogues: RepositoryCatalogue[]): Promise<Wanted | undefined> {
  const { topology, clock } = parts.site;
  const due = dueBackup(catalogues, schedulesOf(topology.settings), clock.now());
  if (!due || !(await mayTry(parts, "backup.create"))) return undefined;
  const { type, repository, why } = due;
  const input = { type, ...(repository ? { repository } : {}) };
  return { operation: "backup.create", input, says: `${type} backup${repository ? ` in ${repository}` : ""}: ${why}` };
}

async function checkWanted(parts: TimetableParts, catalogues: RepositoryCatalogue[]): Promise<Wanted | undefined> {
  const { topology, clock } = parts.site;
  const [oldest] = catalogues.flatMap(({ backups }) => backups);
  // There is nothing to read before the first backup.
  if (!oldest) return undefined;
  const since = (await lastDone(parts, "backup.check")) ?? Date.parse(oldest.startedAt);
  if (!isDue(topology.settings.backup.schedule_check, since, clock.now())) return undefined;
  if (!(await mayTry(parts, "backup.check"))) return undefined;
  return { operation: "backup.check", input: {}, says: "the repositories were read whole" };
}

async function proofWanted(parts: TimetableParts, catalogues: RepositoryCatalogue[]): Promise<Wanted | undefined> {
  const { topology, clock } = parts.site;
  const good = catalogues.flatMap(goodBackups);
  if (good.length === 0) return undefined;
  const proofs = good.map((backup) => Date.parse(noteOf(backup, "proven") ?? "")).filter((at) => !Number.isNaN(at));
  const since = [...proofs, (await lastDone(parts, "backup.verify")) ?? 0].reduce(
    (newest, at) => Math.max(newest, at),
    0,
  );
  if (!isDue(topology.settings.backup.schedule_proof, since || undefined, clock.now())) return undefined;
  if (!(await mayTry(parts, "backup.verify"))) return undefined;
  return { operation: "backup.verify", input: {}, says: "a backup was restored for a proof" };
}
