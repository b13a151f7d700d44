import type { RecoveryTarget } from "../cluster/recovery.ts";
import { HomelabError } from "../core/errors.ts";
import { parseMoment } from "../core/moment.ts";
import { printable } from "../core/text.ts";
import { listArchive } from "../engines/pgbackrest/client.ts";
import type { BackupInfo } from "../engines/pgbackrest/info.ts";
import { along, indexOfLsn, placeOf, segmentName, SEGMENT_BYTES, type Along } from "../engines/pgbackrest/wal.ts";
import { readCatalogue, type RepositoryCatalogue } from "./backup-catalogue.ts";
import type { Site } from "./site.ts";

/** What is to be had back, as a person says it: at most one of a moment, a transaction, a position, a restore point, and now. */
export interface TargetWish {
  /** A backup's label, `label@repository`, or `latest`. Without one it is chosen. */
  backup?: string;
  /** A moment. @see parseMoment */
  to?: string;
  xid?: string;
  lsn?: string;
  restore_point?: string;
  /** Everything that was committed until now. */
  latest?: boolean;
}

/** A backup, and how far the log is replayed from it. Plain data: the journal keeps it. */
export type ChosenRestore = {
  /** The repository's number and name. */
  repo: number;
  repository: string;
  label: string;
  recovery: RecoveryTarget;
  timeline: number;
  /** The moment that will be had back, where it is known beforehand. */
  as_of: string | null;
  backup_stopped_at: string;
  /** Of the whole cluster, when the backup was made. */
  database_bytes: number;
  /** Of log that has to be replayed, as far as it is in the archive now. */
  wal_bytes: number;
  /** Everything up to the target is in the archive; otherwise `archiveNow` has to bring it there first. */
  in_archive: boolean;
  /**
   * Where the log ends before the target, its end is what there is to have back: for a moment behind which nothing was
   * committed, when no segment is missing in between.
   */
  or_end: boolean;
};

const given = ({ to, xid, lsn, restore_point, latest }: TargetWish): RecoveryTarget[] => [
  ...(to === undefined ? [] : [{ type: "time" as const, target: momentOf(to) }]),
  ...(xid === undefined ? [] : [{ type: "xid" as const, target: xid }]),
  ...(lsn === undefined ? [] : [{ type: "lsn" as const, target: lsn }]),
  ...(restore_point === undefined ? [] : [{ type: "name" as const, target: restore_point }]),
  ...(latest ? [{ type: "default" as const }] : []),
];

function momentOf(text: string): string {
  const moment = parseMoment(text);
  if (moment) return moment;
  throw new HomelabError("input_invalid", `${printable(text)} is no moment`, {
    hint: `As in "2026-11-20 14:05", "2026-11-20 14:05:30" or 2026-11-20T14:05:30Z.`,
  });
}

/** What PostgreSQL is told to replay to; without a target it is the backup's own end. @throws HomelabError `input_invalid` */
export function parseTarget(wish: TargetWish): RecoveryTarget {
  const targets = given(wish);
  if (targets.length > 1)
    throw new HomelabError("input_invalid", "there can be only one target", {
      hint: "One of a moment, a transaction, a position in the log, a restore point, or the latest.",
    });
  if (targets.length === 0 && wish.backup === undefined)
    throw new HomelabError("input_invalid", "neither a backup nor a target was named", {
      hint: "homelab db list-backups shows the backups and the window.",
    });
  return targets[0] ?? { type: "immediate" };
}

/** A backup in the repository that it is in. */
interface Candidate {
  catalogue: RepositoryCatalogue;
  backup: BackupInfo;
}

/** How the choice is made. */
export interface Choosing {
  signal?: AbortSignal;
  /** The running cluster can bring into the archive what is not in it yet: then everything up to now can be had. */
  canArchive: boolean;
  /** It did so, up to this segment: then all up to it has to be there. @see archiveNow */
  archived?: string;
}

/**
 * Chooses the backup to begin from, and refuses what cannot be had back, before anything is touched.
 * @throws HomelabError `target_outside_window` with what can be had back; `restore_refused`, `not_found`, `input_invalid`
 */
export async function chooseRestore(site: Site, wish: TargetWish, choosing: Choosing): Promise<ChosenRestore> {
  const recovery = parseTarget(wish);
  const now = site.clock.now();
  const chosen = chooseFrom(await readCatalogue(site, choosing.signal), wish, now, choosing);
  const { catalogue, backup } = chosen;
  const present = await presentIn(site, chosen, choosing.signal);
  const isWhole = Math.max(...present.keys()) === lastIndex(catalogue) && hasAll(chosen, choosing);
  return {
    repo: catalogue.repository.number,
    repository: catalogue.repository.name,
    label: backup.label,
    recovery,
    timeline: catalogue.legs.at(-1)?.timeline ?? placeOf(backup.walStop!).timeline,
    as_of: asOf(recovery, backup),
    backup_stopped_at: backup.stoppedAt,
    database_bytes: backup.databaseBytes,
    wal_bytes: walBytes(present, backup, recovery),
    in_archive: isInArchive(chosen, recovery, now),
    or_end: recovery.type === "time" && isWhole,
  };
}

/** The choice itself, of what was read. @throws HomelabError as `chooseRestore` does */
export function chooseFrom(
  catalogues: RepositoryCatalogue[],
  wish: TargetWish,
  now: number,
  choosing: Choosing,
): Candidate {
  const recovery = parseTarget(wish);
  const candidates = usable(catalogues, wish.backup);
  const range = rangeOf(catalogues);
  if (recovery.type === "time") return byTime(candidates, recovery.target, { range, now, ...choosing });
  if (recovery.type === "lsn") return byLsn(candidates, recovery.target, { range, ...choosing });
  return byBackup(candidates, recovery, wish, { range, ...choosing });
}

const asOf = (recovery: RecoveryTarget, { stoppedAt }: BackupInfo): string | null => {
  if (recovery.type === "time") return recovery.target;
  return recovery.type === "immediate" ? stoppedAt : null;
};

/** Milliseconds that segments may be on their way without a word: only what is older is in the archive for certain. */
const ON_THE_WAY = 15 * 60_000;

function isInArchive(chosen: Candidate, recovery: RecoveryTarget, now: number): boolean {
  if (recovery.type === "time") {
    const at = Date.parse(recovery.target);
    // Over a gap nothing leads, whatever is archived now.
    const isOld = at <= now - ON_THE_WAY || gapBehind(chosen) !== undefined;
    return isOld && at <= Date.parse(spanOf(chosen)!.to);
  }
  return recovery.type === "immediate";
}

/** The backups that may be restored, the newest first; of two copies, the one in the first repository. */
function usable(catalogues: RepositoryCatalogue[], wished: string | undefined): Candidate[] {
  const all = catalogues
    .flatMap((catalogue) => catalogue.backups.map((backup) => ({ catalogue, backup })))
    .sort((a, b) => b.backup.stoppedAt.localeCompare(a.backup.stoppedAt) || a.backup.repository - b.backup.repository);
  const [label, repository] = (wished ?? "latest").split("@");
  const isMeant = ({ catalogue, backup }: Candidate) =>
    (label === "latest" || backup.label === label) && (!repository || catalogue.repository.name === repository);
  const meant = all.filter(isMeant);
  if (meant.length === 0) throw nothingThere(catalogues, wished);
  const good = meant.filter((each) => whyNot(each) === undefined);
  if (good.length === 0)
    throw new HomelabError("restore_refused", `${meant[0]!.backup.label} cannot be restored: ${whyNot(meant[0]!)}`, {
      hint: "homelab db list-backups shows which backups are whole.",
    });
  return good;
}

/** Why a backup must not be restored. One of another incarnation of the cluster has no coverage here. */
function whyNot({ catalogue, backup }: Candidate): string | undefined {
  const reason = catalogue.trouble ?? catalogue.coverage.unusable.get(backup.label);
  if (reason) return reason;
  return spanOf({ catalogue, backup }) ? undefined : "it is of another cluster, or its WAL is not in the repository";
}

const spanOf = ({ catalogue, backup }: Candidate) =>
  catalogue.coverage.windows.find(({ labels }) => labels.includes(backup.label));

function nothingThere(catalogues: RepositoryCatalogue[], wished: string | undefined): HomelabError {
  const trouble = catalogues.find((each) => each.trouble);
  if (wished && wished !== "latest")
    return new HomelabError("not_found", `there is no backup ${printable(wished)}`, {
      hint: trouble
        ? `The repository ${trouble.repository.name} cannot be read: ${trouble.trouble}`
        : "homelab db list-backups shows them.",
    });
  return new HomelabError("restore_refused", "there is no backup yet", {
    hint: trouble
      ? `The repository ${trouble.repository.name} cannot be read: ${trouble.trouble}`
      : "homelab db backup full makes one.",
  });
}

/** The place of the newest segment that has none missing before it. */
const lastIndex = ({ coverage }: RepositoryCatalogue): number =>
  coverage.lastSegment ? placeOf(coverage.lastSegment.name).index : -1;

/** Whether all up to now is in a repository, or will be. */
const reachesNow = (candidate: Candidate, choosing: Choosing): boolean =>
  choosing.archived === undefined
    ? choosing.canArchive && gapBehind(candidate) === undefined
    : hasAll(candidate, choosing);

/** Whether a repository has everything that there is: without the running cluster, that is what it has. */
const hasAll = (candidate: Candidate, { canArchive, archived }: Choosing): boolean =>
  gapBehind(candidate) === undefined &&
  (archived === undefined ? !canArchive : lastIndex(candidate.catalogue) >= placeOf(archived).index);

/** Why a candidate does not reach far enough. */
function whyShort(candidate: Candidate, { archived }: Choosing): string {
  const gap = gapBehind(candidate);
  if (gap) return `${gap.first}${gap.count > 1 ? ` to ${gap.last}` : ""} is missing in the archive`;
  if (archived === undefined) return "the archive does not reach so far, and the cluster is not running";
  const { legs } = candidate.catalogue;
  const leg = legs.findLast(({ from }) => from <= lastIndex(candidate.catalogue) + 1);
  const first = segmentName({ timeline: leg?.timeline ?? 1, index: lastIndex(candidate.catalogue) + 1 });
  return `${first} is missing in the archive`;
}

/** What can be had back, in words. */
function rangeOf(catalogues: RepositoryCatalogue[]): string {
  const spans = catalogues.flatMap(({ coverage }) => coverage.windows.map(({ from, to }) => `from ${from} to ${to}`));
  return spans.length > 0
    ? `Any second ${[...new Set(spans)].join(", and ")} can be had back.`
    : "Nothing can be had back yet.";
}

const outside = (what: string, why: string, range: string): HomelabError =>
  new HomelabError("target_outside_window", `${what} cannot be had back: ${why}`, { hint: range });

/** A backup counts from the second after its end: pgBackRest writes whole seconds. */
const ROUNDING = 1000;

/** The gap in the log behind a backup, over which nothing leads. */
const gapBehind = ({ catalogue, backup }: Candidate) =>
  catalogue.coverage.gaps.find(({ from }) => from > placeOf(backup.walStop!).index);

function byTime(
  candidates: Candidate[],
  moment: string,
  { range, now, ...choosing }: Choosing & { range: string; now: number },
): Candidate {
  const at = Date.parse(moment);
  if (at > now) throw outside(moment, "it is in the future", range);
  const early = candidates.filter(({ backup }) => Date.parse(backup.stoppedAt) + ROUNDING <= at);
  if (early.length === 0) throw outside(moment, "no backup had ended by then", range);
  const isCovered = (each: Candidate) => at <= Date.parse(spanOf(each)!.to);
  const reaching = early.find((each) => isCovered(each) || reachesNow(each, choosing));
  if (reaching) return reaching;
  throw outside(moment, whyShort(early[0]!, choosing), range);
}

function byLsn(candidates: Candidate[], lsn: string, { range, ...choosing }: Choosing & { range: string }): Candidate {
  const index = indexOfLsn(lsn);
  const early = candidates.filter(({ backup }) => backup.lsnStop !== null && compareLsn(backup.lsnStop, lsn) <= 0);
  if (early.length === 0) throw outside(lsn, "no backup had ended by then", range);
  const isCovered = (each: Candidate) =>
    index <= Math.min(lastIndex(each.catalogue), (gapBehind(each)?.from ?? Infinity) - 1);
  const reaching = early.find((each) => isCovered(each) || reachesNow(each, choosing));
  if (reaching) return reaching;
  throw outside(lsn, whyShort(early[0]!, choosing), range);
}

const compareLsn = (a: string, b: string): number => {
  const value = (lsn: string) => lsn.split("/").reduce((sum, part) => sum * 2n ** 32n + BigInt(`0x${part}`), 0n);
  return value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0;
};

/** Where a transaction or a restore point lies is in the log alone: from which backup on, a person has to say. */
function byBackup(
  candidates: Candidate[],
  recovery: RecoveryTarget,
  wish: TargetWish,
  { range, ...choosing }: Choosing & { range: string },
): Candidate {
  const [newest] = candidates as [Candidate, ...Candidate[]];
  const isUnplaced = recovery.type === "xid" || recovery.type === "name";
  if (isUnplaced && wish.backup === undefined)
    throw new HomelabError("input_invalid", "a backup has to be named for this target", {
      hint: "One from before it: homelab db list-backups shows them.",
    });
  if (recovery.type !== "default") return newest;
  const reaching = candidates.find((each) => reachesNow(each, choosing));
  if (reaching) return reaching;
  throw outside("the latest state", whyShort(newest, choosing), range);
}

/** The segments of a backup's history that its repository has. */
async function presentIn({ topology }: Site, { catalogue, backup }: Candidate, signal?: AbortSignal): Promise<Along> {
  const archive = await listArchive(topology, catalogue.repository.number, { signal });
  return along(catalogue.legs, archive.get(backup.archiveId)?.segments ?? []);
}

/** How much log there is from the backup's beginning to the target. */
function walBytes(present: Along, backup: BackupInfo, recovery: RecoveryTarget): number {
  const [start, stop] = [placeOf(backup.walStart!).index, placeOf(backup.walStop!).index];
  const isNeeded = (index: number, at: number): boolean => {
    if (index < start) return false;
    if (index <= stop) return true;
    if (recovery.type === "time") return at <= Date.parse(recovery.target);
    if (recovery.type === "lsn") return index <= indexOfLsn(recovery.target);
    return recovery.type !== "immediate";
  };
  const needed = [...present].filter(([index, segment]) => isNeeded(index, segment.at)).length;
  // The one that the target lies in arrives after it.
  return (recovery.type === "time" ? needed + 1 : needed) * SEGMENT_BYTES;
}
