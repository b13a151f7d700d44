import { HomelabError } from "../core/errors.ts";
import { parseMoment } from "../core/moment.ts";
import { didYouMean, printable } from "../core/text.ts";
import type { BackupInfo } from "../engines/pgbackrest/info.ts";
import type { MarkInfo } from "../engines/postgres/marks.ts";
import type { RepositoryCatalogue } from "./backup-catalogue.ts";

/** What is to be proven, as it was asked for. */
export interface ProofWish {
  /** A backup's label, with or without its repository behind an @; the newest good one without it. */
  backup?: string;
  /** The second to replay to. @see parseMoment */
  to?: string;
}

/** The backup that is proven, and between which seconds the one lies that is replayed to. Milliseconds since 1970. */
export interface ProofSpan {
  catalogue: RepositoryCatalogue;
  backup: BackupInfo;
  /** The first whole second behind the backup's end. */
  from: number;
  /** Until when it is the nearest backup to begin from; undefined for the newest, which reaches to the present. */
  until: number | undefined;
}

const SECOND = 1000;

/** The whole second at or behind a moment. */
const ceilSecond = (at: number): number => Math.ceil(at / SECOND) * SECOND;

const idOf = ({ repository }: RepositoryCatalogue, { label }: BackupInfo): string => `${label}@${repository.name}`;

/** Whether a restore may begin from it: it is whole, and of the cluster as it is now. */
const isGood = ({ trouble, coverage }: RepositoryCatalogue, { label }: BackupInfo): boolean =>
  !trouble && coverage.windows.some(({ labels }) => labels.includes(label));

/** Everything that could be proven, the newest first; of the same age, the first repository's first. */
function candidates(catalogues: RepositoryCatalogue[]): { catalogue: RepositoryCatalogue; backup: BackupInfo }[] {
  return catalogues
    .flatMap((catalogue) => catalogue.backups.map((backup) => ({ catalogue, backup })))
    .sort((a, b) => b.backup.stoppedAt.localeCompare(a.backup.stoppedAt) || a.backup.repository - b.backup.repository);
}

/**
 * Finds the backup that was asked for: by its name also one that is known to be bad, for it can be proven that it is
 * not. Without a name it is the newest good one that ended before the second that was asked for.
 * @throws HomelabError `not_found`; `target_outside_window` for a second that no backup leads to
 */
export function spanOf(catalogues: RepositoryCatalogue[], wish: ProofWish, now: number): ProofSpan {
  const to = wish.to === undefined ? undefined : Date.parse(parseMoment(wish.to)!);
  const found = wish.backup === undefined ? newest(catalogues, to) : named(catalogues, wish.backup);
  const span = { ...found, from: Date.parse(found.backup.stoppedAt) + SECOND, until: untilOf(found) };
  if (to !== undefined && (to < span.from || to > Math.min(now, span.until ?? now)))
    throw outside(catalogues, span, now);
  return span;
}

function named(catalogues: RepositoryCatalogue[], name: string): Pick<ProofSpan, "catalogue" | "backup"> {
  const all = candidates(catalogues);
  const found = all.find(({ catalogue, backup }) => backup.label === name || idOf(catalogue, backup) === name);
  if (found) return found;
  const meant = didYouMean(
    name,
    all.map(({ backup }) => backup.label),
  );
  throw new HomelabError("not_found", `there is no backup ${printable(name)}`, {
    hint: meant ? `Did you mean ${meant}?` : "homelab db list-backups shows them.",
  });
}

function newest(catalogues: RepositoryCatalogue[], to: number | undefined): Pick<ProofSpan, "catalogue" | "backup"> {
  const good = candidates(catalogues).filter(({ catalogue, backup }) => isGood(catalogue, backup));
  const found =
    good.find(({ backup }) => to === undefined || Date.parse(backup.stoppedAt) + SECOND <= to) ?? good.at(-1);
  if (found) return found;
  const trouble = catalogues.find((each) => each.trouble);
  throw new HomelabError("not_found", "there is no backup that could be proven", {
    hint: trouble
      ? `${trouble.repository.name}: ${trouble.trouble}`
      : "homelab db backup full makes one; homelab db list-backups says what is wrong with those there are.",
  });
}

/**
 * Where the WAL behind a backup ends, or the next good backup does, from which a restore would begin instead: each is
 * proven with the WAL that is its own, so that a proof replays hours and not weeks.
 */
function untilOf({ catalogue, backup }: Pick<ProofSpan, "catalogue" | "backup">): number | undefined {
  const next = catalogue.backups.find((each) => each.stoppedAt > backup.stoppedAt && isGood(catalogue, each));
  if (next) return Date.parse(next.stoppedAt);
  const gap = catalogue.coverage.gaps.find(({ after }) => after >= backup.stoppedAt);
  return gap && Date.parse(gap.after);
}

function outside(catalogues: RepositoryCatalogue[], { backup, from, until }: ProofSpan, now: number): HomelabError {
  const says = (at: number) => new Date(at).toISOString();
  const windows = catalogues.flatMap(({ coverage }) => coverage.windows.map((each) => `${each.from} to ${each.to}`));
  return new HomelabError(
    "target_outside_window",
    `${backup.label} is proven with a second from ${says(from)} to ${says(until ?? now)}`,
    { hint: windows.length > 0 ? `What can be had back: ${windows.join(", ")}` : "homelab db list-backups says more." },
  );
}

/** What a target is chosen from. */
export interface Drawing {
  span: Pick<ProofSpan, "from" | "until">;
  marks: MarkInfo[];
  /** When the last transaction that is in the archive was committed: recovery stops at it at the latest. */
  closedAt: number;
  /** A random whole number from the first up to, and without, the second. */
  draw(from: number, to: number): number;
}

/**
 * Draws a second of a span. Where a mark lies in it or before it, a second is drawn that has one, so that there is
 * something to compare with.
 */
export function drawSecond({ span, marks, closedAt, draw }: Drawing): number {
  const end = Math.min(span.until ?? closedAt, closedAt);
  const oldest = Math.min(...marks.map(({ at }) => ceilSecond(at)).filter((at) => at < end));
  const from = Number.isFinite(oldest) ? Math.max(span.from, oldest) : span.from;
  const seconds = Math.ceil((end - from) / SECOND);
  return from + (seconds > 1 ? draw(0, seconds) : 0) * SECOND;
}

/** The newest mark that a restore to this moment brings back. */
export const markBefore = (marks: MarkInfo[], to: number): MarkInfo | undefined =>
  marks.filter(({ at }) => at <= to).sort((a, b) => b.at - a.at)[0];
