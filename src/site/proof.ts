import type { CopyReport } from "./read-copy.ts";

/** What is proven, and how far: chosen once for a run. Plain data: the journal keeps it. */
export type ProofTarget = {
  backup: string;
  label: string;
  type: string;
  repo: number;
  repository: string;
  timeline: number;
  /** Of the whole cluster, when the backup was made. */
  database_bytes: number;
  /** The second that is replayed to. */
  to: string;
  /** The mark that must be there then. */
  mark: { id: string; at: string } | null;
  /** How much of the newest would have been lost with the machine when the proof began, in seconds. */
  rpo_seconds: number | null;
};

/** What a proof found, as it is kept and shown. */
export type ProofResult = {
  proven: boolean;
  backup: string;
  label: string;
  type: string;
  repository: string;
  to: string;
  finished_at: string;
  /** Why the backup must not be relied on. */
  faults: string[];
  /** What the live cluster cannot read of itself: that is not the backup's fault. */
  live_faults: string[];
  mark_at: string | null;
  databases: number;
  tables: number;
  rows: number;
  bytes: number;
  /** Tables that hold exactly what the mark saw, and how many of those were compared by samples. */
  equal: number;
  sampled: number;
  /** Tables that were changed between the mark and the second. */
  changed: number;
  not_compared: number;
  /** Why those were not; the first of them. */
  reasons: string[];
  /** Tables and indexes whose pages were checked; null where it did not come to that. */
  relations: number | null;
  seconds: { restore: number | null; replay: number | null; structure: number | null; read: number | null };
  restored_bytes: number;
  bytes_per_second: number | null;
  segments: number | null;
  rpo_seconds: number | null;
  rto_seconds: number | null;
};

/** What the parts of a proof answered; a part that it did not come to is undefined. */
export interface ProofParts {
  target: ProofTarget;
  restore: { seconds: number | null; fault: string | null } | undefined;
  replay: { seconds: number | null; segments: number; fault: string | null } | undefined;
  structure: { seconds: number; relations: number; findings: string[] } | undefined;
  read: { seconds: number; report: CopyReport } | undefined;
  liveFaults: string[];
}

/** Puts together what a proof found. */
export function proofResult(parts: ProofParts, now: number): ProofResult {
  const { target, restore, replay, structure, read, liveFaults } = parts;
  const report = read?.report;
  const faults = [restore?.fault, replay?.fault, ...(structure?.findings ?? []), ...(report?.faults ?? [])].filter(
    (fault) => typeof fault === "string",
  );
  return {
    // What it did not come to was not proven either.
    proven: faults.length === 0 && report !== undefined,
    backup: target.backup,
    label: target.label,
    type: target.type,
    repository: target.repository,
    to: target.to,
    finished_at: new Date(now).toISOString(),
    faults: [...new Set(faults)],
    live_faults: liveFaults,
    mark_at: target.mark?.at ?? null,
    databases: report?.databases ?? 0,
    tables: report?.tables ?? 0,
    rows: report?.rows ?? 0,
    bytes: report?.bytes ?? 0,
    equal: report?.equal ?? 0,
    sampled: report?.sampled ?? 0,
    changed: report?.changed ?? 0,
    not_compared: report?.not_compared ?? 0,
    reasons: report?.reasons ?? [],
    relations: structure?.relations ?? null,
    seconds: {
      restore: rounded(restore?.seconds),
      replay: rounded(replay?.seconds),
      structure: rounded(structure?.seconds),
      read: rounded(read?.seconds),
    },
    restored_bytes: target.database_bytes,
    bytes_per_second: restore?.seconds ? Math.round(target.database_bytes / restore.seconds) : null,
    segments: replay?.segments ?? null,
    rpo_seconds: target.rpo_seconds,
    rto_seconds: restore?.seconds && replay?.seconds ? rounded(restore.seconds + replay.seconds) : null,
  };
}

const rounded = (seconds: number | null | undefined): number | null =>
  typeof seconds === "number" ? Math.round(seconds * 1000) / 1000 : null;
