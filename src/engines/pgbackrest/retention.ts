import { foundationsOf, fullOf, type BackupInfo } from "./info.ts";

/** What is to be kept, as the settings say it. */
export interface Retention {
  /** Full backups, and differential ones. */
  full: number;
  diff: number;
  /** Days whose WAL is kept. */
  archiveDays: number;
}

/**
 * What pgBackRest is told to keep (its manual, "Retention"): so many of the newest full backups, so many of the newest
 * that are full or differential, and the WAL from the so manieth newest full one on.
 */
export interface Kept {
  full: number;
  diff: number;
  archive: number;
  /** The labels of what goes, with all that builds on it. */
  going: string[];
  /** What stays though the number in the settings would let it go, with the reason. */
  pinned: { label: string; why: string }[];
}

/** What is known of a backup beside what it is. */
export interface Standing {
  isGood(backup: BackupInfo): boolean;
  isProven(backup: BackupInfo): boolean;
}

const DAY = 86_400_000;

const PROVEN = "nothing newer was proven";
const BAD = "newer ones must not be relied on, and do not count";

/**
 * What stays of one repository. Only good backups count, so that a bad one never pushes a good one out; and the last that
 * was proven stays whatever the numbers say, with all that it builds on and all that is newer.
 */
export function keptOf(backups: BackupInfo[], wish: Retention, standing: Standing, now: number): Kept {
  const newestFirst = backups.toReversed();
  const proven = newestFirst.find(standing.isProven);
  const fulls = newestFirst.filter(({ type }) => type === "full");
  const full = keepOf(fulls, fulls, wish.full, standing, proven);
  const stays = new Set(fulls.slice(0, full.keep).map(({ label }) => label));
  // pgBackRest counts full ones among the differential ones, and never removes them for it.
  const steps = newestFirst.filter((each) => each.type !== "incr" && stays.has(fullOf(each.label)));
  const diffs = steps.filter(({ type }) => type === "diff");
  const diff = keepOf(steps, diffs, wish.diff, standing, proven);
  const gone = new Set([...fulls.slice(full.keep), ...diffs.filter((each) => steps.indexOf(each) >= diff.keep)]);
  return {
    full: full.keep,
    diff: diff.keep,
    archive: archiveOf(fulls.slice(0, full.keep), wish, standing, proven, now),
    going: [...gone].flatMap((each) => withDependents(each, backups)),
    pinned: [...full.pinned, ...diff.pinned],
  };
}

/** How many of a list, the newest first, stay so that `count` good ones of a kind do, and the proven one. At least one. */
function keepOf(
  list: BackupInfo[],
  kind: BackupInfo[],
  count: number,
  { isGood }: Standing,
  proven: BackupInfo | undefined,
): Pick<Kept, "pinned"> & { keep: number } {
  const nthGood = kind.filter(isGood)[count - 1];
  const bearer = kind.find((each) => proven !== undefined && isFoundationOf(each, proven));
  const byGood = nthGood ? list.indexOf(nthGood) + 1 : list.length;
  const keep = Math.max(1, byGood, bearer ? list.indexOf(bearer) + 1 : 0);
  // What the number alone would let go, were every backup good.
  const pinned = kind
    .slice(count)
    .filter((each) => list.indexOf(each) < keep)
    .map((each) => ({ label: each.label, why: list.indexOf(each) < byGood ? BAD : PROVEN }));
  return { keep, pinned };
}

/** WAL stays from the good full backup on that reaches back over the wished days, and from the proven one. */
function archiveOf(
  fulls: BackupInfo[],
  { archiveDays }: Retention,
  { isGood }: Standing,
  proven: BackupInfo | undefined,
  now: number,
): number {
  const limit = now - archiveDays * DAY;
  const reaching = fulls.findIndex((each) => isGood(each) && Date.parse(each.stoppedAt) <= limit);
  const bearing = fulls.findIndex((each) => proven !== undefined && isFoundationOf(each, proven));
  return Math.max(1, reaching === -1 ? fulls.length : reaching + 1, bearing + 1);
}

/** Whether a backup is another one, or that one builds on it. */
const isFoundationOf = (base: BackupInfo, backup: BackupInfo): boolean =>
  base.label === backup.label || foundationsOf(backup).includes(base.label);

/** A backup, and those that would be nothing without it. */
const withDependents = (base: BackupInfo, backups: BackupInfo[]): string[] =>
  backups.filter((each) => isFoundationOf(base, each)).map(({ label }) => label);
