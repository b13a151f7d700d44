import type { ArchivedSegment } from "./archive.ts";
import { foundationsOf, type BackupInfo } from "./info.ts";
import { along, lsnValue, missingBetween, placeOf, type Along, type Leg, type Missing } from "./wal.ts";

/** A span of time, any second of which can be had back. */
export interface Window {
  from: string;
  to: string;
  /** The backups that it can begin from, the oldest first. */
  labels: string[];
}

/** WAL that is gone, with the time that cannot be reached because of it. */
export interface Gap extends Missing {
  after: string;
  before: string | null;
}

/** What one repository can bring back. */
export interface Coverage {
  windows: Window[];
  gaps: Gap[];
  /** Backups that cannot be used, with the reason. */
  unusable: Map<string, string>;
  /** The newest segment without a gap before it. */
  lastSegment: ArchivedSegment | undefined;
}

/**
 * Milliseconds that a segment may come later than the one behind it: several are sent at once, and each may have to be
 * sent again.
 */
const IN_FLIGHT = 120_000;

/** What is known against a backup; undefined when nothing is. */
export type Judge = (backup: BackupInfo) => string | undefined;

/**
 * Works out what can be had back from a repository's own listing. pgBackRest's `verify` and `info` call a repository ok
 * whose archive lacks a segment, and a restore across it ends with 0 and half of the data (measured, 2.45).
 */
export function coverageOf(
  backups: BackupInfo[],
  segments: ArchivedSegment[],
  legs: Leg[],
  judge: Judge,
  now: number,
  corrupt: ReadonlySet<string> = new Set(),
): Coverage {
  // A segment that cannot be read is as good as none, and will not come any more.
  const lost = [...corrupt].map((name) => placeOf(name).index);
  const present = along(
    legs,
    segments.filter(({ name }) => !corrupt.has(name)),
  );
  const starts = backups.map((each) => placeOf(each.walStart ?? "").index).filter((index) => !Number.isNaN(index));
  const places = [...present.keys()].sort((a, b) => a - b);
  const newest = places.at(-1);
  // What lies before the oldest backup is of no use to anybody: what is missing there is no gap.
  const first = starts.length > 0 ? Math.min(...starts) : places[0];
  if (newest === undefined || first === undefined)
    return { windows: [], gaps: [], unusable: allUnusable(backups), lastSegment: undefined };
  const missing = settled(missingBetween(legs, present, first, newest), present, lost, now);
  const end = missing.inFlight ? missing.inFlight.from - 1 : newest;
  const unusable = new Map<string, string>();
  const spans: Window[] = [];
  for (const backup of backups) {
    const reason = faultWithin(backup, backups, judge) ?? lacks(backup, legs, present);
    if (reason) unusable.set(backup.label, reason);
    else spans.push(spanOf(backup, missing.gaps, present, end));
  }
  return {
    windows: joined(spans),
    gaps: missing.gaps.map((gap) => ({
      ...gap,
      after: at(present.get(gap.from - 1)) ?? backups[0]?.startedAt ?? new Date(0).toISOString(),
      before: at(present.get(gap.to + 1)) ?? null,
    })),
    unusable,
    lastSegment: present.get(end),
  };
}

/** What is wrong with a backup, or with one that it builds on. */
function faultWithin(backup: BackupInfo, backups: BackupInfo[], judge: Judge): string | undefined {
  const own = judge(backup);
  if (own) return own;
  for (const base of backups.filter(({ label }) => foundationsOf(backup).includes(label))) {
    const fault = judge(base);
    if (fault) return `it builds on ${base.label}: ${fault}`;
  }
  return undefined;
}

const at = (segment: ArchivedSegment | undefined): string | undefined => segment && new Date(segment.at).toISOString();

const allUnusable = (backups: BackupInfo[]): Map<string, string> =>
  new Map(backups.map(({ label }) => [label, "its WAL is not in the repository"]));

/** Gaps that will stay, and the first one that is perhaps only late. */
function settled(
  missing: Missing[],
  present: Along,
  lost: number[],
  now: number,
): { gaps: Missing[]; inFlight: Missing | undefined } {
  const isLate = ({ from, to }: Missing) =>
    (present.get(to + 1)?.at ?? 0) > now - IN_FLIGHT && !lost.some((index) => index >= from && index <= to);
  const inFlight = missing.find(isLate);
  return { gaps: missing.filter((each) => !isLate(each)), inFlight };
}

/** A backup is whole only with the WAL that was written while it was made. */
function lacks(backup: BackupInfo, legs: Leg[], present: Along): string | undefined {
  if (!backup.walStart || !backup.walStop) return "it has no WAL of its own";
  const [start, stop] = [placeOf(backup.walStart), placeOf(backup.walStop)];
  // One that ended in the very segment in which its timeline was left ended before that, or was left with it.
  const endedBefore = ({ to, leftAt }: Leg) =>
    stop.index === to && leftAt !== undefined && backup.lsnStop !== null && lsnValue(backup.lsnStop) <= leftAt;
  const isOnTheWay = legs.some(
    (leg) => leg.timeline === stop.timeline && stop.index >= leg.from && (stop.index < leg.to || endedBefore(leg)),
  );
  if (!isOnTheWay) return "it belongs to a timeline that was left";
  const [missing] = missingBetween(legs, present, start.index, stop.index);
  return missing && `${missing.first} of its own WAL is missing`;
}

function spanOf(backup: BackupInfo, gaps: Missing[], present: Along, end: number): Window {
  const stop = placeOf(backup.walStop!).index;
  const gap = gaps.find(({ from }) => from > stop);
  const last = present.get(gap ? gap.from - 1 : end);
  const to = last && last.at > Date.parse(backup.stoppedAt) ? at(last)! : backup.stoppedAt;
  return { from: backup.stoppedAt, to, labels: [backup.label] };
}

/** Backups that reach the same end make one window. */
function joined(spans: Window[]): Window[] {
  const windows: Window[] = [];
  for (const span of spans) {
    const last = windows.at(-1);
    if (last && last.to >= span.from) windows[windows.length - 1] = join(last, span);
    else windows.push(span);
  }
  return windows;
}

const join = (a: Window, b: Window): Window => ({
  from: a.from,
  to: a.to > b.to ? a.to : b.to,
  labels: [...a.labels, ...b.labels],
});
