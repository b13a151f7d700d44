import { hasPassed, nextMoment, OFF } from "../config/schedule.ts";
import type { Settings } from "../config/settings.ts";
import type { BackupInfo, BackupType } from "../engines/pgbackrest/info.ts";
import { placeOf } from "../engines/pgbackrest/wal.ts";
import { goodBackups, type RepositoryCatalogue } from "./backup-catalogue.ts";

/** When backups are made: five fields as in crontab(5), or off. */
export type Schedules = Record<BackupType, string>;

/** A backup that is to be made now. */
export interface DueBackup {
  type: BackupType;
  /** Only in this repository; in all of them when it is undefined. */
  repository: string | undefined;
  why: string;
}

/** The largest first: one that is due makes the smaller ones needless. */
const TYPES = ["full", "diff", "incr"] as const;

export const schedulesOf = ({ database }: Pick<Settings, "database">): Schedules => ({
  full: database.backup_schedule_full,
  diff: database.backup_schedule_diff,
  incr: database.backup_schedule_incr,
});

/** Whether no backup is ever made by itself. */
export const isOff = (schedules: Schedules): boolean => TYPES.every((type) => schedules[type] === OFF);

/**
 * What is to be made now, worked out of what the repositories have: whoever leads after a restart comes to the same
 * answer, and a moment that passed while nothing ran is caught up.
 */
export function dueBackup(catalogues: RepositoryCatalogue[], schedules: Schedules, now: number): DueBackup | undefined {
  // One that cannot be read is in trouble, and says so elsewhere; the others are not kept from theirs.
  const readable = catalogues.filter(({ trouble }) => !trouble);
  const due = readable.map((catalogue) => ({ catalogue, due: dueIn(catalogue, schedules, now) }));
  for (const type of TYPES) {
    const wanting = due.filter((each) => each.due?.type === type);
    if (wanting.length === 0) continue;
    const isAll = wanting.length === catalogues.length;
    return { type, repository: isAll ? undefined : wanting[0]!.catalogue.repository.name, why: wanting[0]!.due!.why };
  }
  return undefined;
}

const began = (backup: BackupInfo | undefined): number => (backup ? Date.parse(backup.startedAt) : 0);

function dueIn(
  catalogue: RepositoryCatalogue,
  schedules: Schedules,
  now: number,
): Pick<DueBackup, "type" | "why"> | undefined {
  const own = catalogue.backups.filter(({ archiveId }) => archiveId === catalogue.archiveId);
  const newest = (...types: BackupType[]) => own.findLast(({ type }) => types.includes(type));
  const full = newest("full");
  if (schedules.full !== OFF) {
    if (!full) return { type: "full", why: "there is no full backup yet" };
    const why = woundOf(catalogue);
    if (why && badFulls(catalogue) <= 1) return { type: "full", why };
  }
  // What was made for a moment has had its turn, good or bad: a page that is broken would be so in the next one too.
  const says = (type: BackupType) => ({ type, why: `its time has come (${schedules[type]})` });
  if (hasPassed(schedules.full, began(full), now)) return says("full");
  if (full && hasPassed(schedules.diff, began(newest("full", "diff")), now)) return says("diff");
  const last = newest(...TYPES);
  if (last && hasPassed(schedules.incr, began(last), now)) return says("incr");
  // Nothing to build on, and full ones are never made by themselves: the first moment of any makes one.
  if (!last && schedules.full === OFF && (["diff", "incr"] as const).some((type) => schedules[type] !== OFF))
    return { type: "full", why: "there is no full backup yet" };
  return undefined;
}

/** What speaks against relying on what is newer than the last good full backup; undefined when nothing does. */
export function woundOf(catalogue: RepositoryCatalogue): string | undefined {
  const { coverage, backups } = catalogue;
  const full = goodBackups(catalogue).findLast(({ type }) => type === "full");
  const start = placeOf(full?.walStart ?? "").index || 0;
  const gap = coverage.gaps.find(({ to }) => to >= start);
  if (gap) return gapInWords(gap);
  const bad = backups.find((each) => coverage.unusable.has(each.label) && began(each) >= began(full));
  return bad && `${bad.label}: ${coverage.unusable.get(bad.label)}`;
}

/** WAL that is gone, in words. */
export const gapInWords = ({ first, last, count }: { first: string; last: string; count: number }): string =>
  count === 1 ? `the WAL segment ${first} is missing` : `${count} WAL segments are missing, ${first} to ${last}`;

/** How many of the newest full backups in a row are bad. */
function badFulls(catalogue: RepositoryCatalogue): number {
  const good = new Set(goodBackups(catalogue));
  const fulls = catalogue.backups.filter(({ type }) => type === "full").toReversed();
  const at = fulls.findIndex((full) => good.has(full));
  return at === -1 ? fulls.length : at;
}

/** Milliseconds until something that failed is tried again: after the first time, the second, and all others. */
const PAUSES: Record<string, number[]> = {
  "backup.create": [5 * 60_000, 15 * 60_000, 3_600_000],
  "backup.check": [15 * 60_000, 3_600_000, 6 * 3_600_000],
  "backup.verify": [3_600_000, 6 * 3_600_000, 24 * 3_600_000],
};

/** How a run of an operation ended, as the journal knows it. */
export interface PastRun {
  state: string;
  createdAt: string;
  finishedAt: string | null;
}

/** When an operation may be tried again, in milliseconds since 1970; 0 for at once. `runs` are its last ones, the newest first. */
export function retryAt(operation: string, runs: PastRun[]): number {
  const ended = runs.filter(({ state }) => state !== "running");
  const good = ended.findIndex(({ state }) => state === "completed");
  const failures = good === -1 ? ended.length : good;
  if (failures === 0) return 0;
  const pauses = PAUSES[operation]!;
  const { finishedAt, createdAt } = ended[0]!;
  return Date.parse(finishedAt ?? createdAt) + pauses[Math.min(failures, pauses.length) - 1]!;
}

/**
 * Whether something that goes through the repositories is due: `since` is when it was last done, which for what never was
 * is `undefined`: then it is due as soon as there is a backup.
 */
export const isDue = (schedule: string, since: number | undefined, now: number): boolean =>
  schedule !== OFF && (since === undefined || hasPassed(schedule, since, now));

/** When each type comes next, in milliseconds since 1970. */
export const nextBackups = (schedules: Schedules, now: number): { type: BackupType; at: number }[] =>
  TYPES.flatMap((type) => {
    const at = nextMoment(schedules[type], now);
    return at === undefined ? [] : [{ type, at }];
  }).sort((a, b) => a.at - b.at);
