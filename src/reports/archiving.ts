import { join } from "node:path";
import type { Topology } from "../cluster/topology.ts";
import { errorMessage } from "../core/errors.ts";
import type { Health, HealthState } from "../core/health.ts";
import { formatBytes, formatSeconds, parseDuration } from "../core/units.ts";
import { archivingError } from "../engines/pgbackrest/spool.ts";
import { SEGMENT_BYTES } from "../engines/pgbackrest/wal.ts";
import { archiverState, type ArchiverState } from "../engines/postgres/archiving.ts";
import { freeBytes } from "../host/machine.ts";
import type { Site } from "../site/site.ts";

/** How the archiving of the WAL goes: its heartbeat. */
export interface Archiving {
  last_segment: string | null;
  last_archived_at: string | null;
  /** Complete segments that are not archived, and since when the oldest of them waits. */
  waiting_segments: number;
  waiting_bytes: number;
  waits_since: string | null;
  /** Since when PostgreSQL's archiver has failed without a success in between. */
  failing_since: string | null;
  /** What pgBackRest noted last, while something waits. */
  error: string | null;
  wal_bytes: number;
  /** On the volume of the WAL. */
  free_bytes: number;
  /** Until that volume is full, at the rate at which WAL piled up; null while none does. */
  hours_left: number | null;
}

const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());

/** Looks at PostgreSQL's archiver, at what waits for it, and at the disk. @throws HomelabError `engine_unreachable` */
export async function archiving(site: Site): Promise<Archiving> {
  const { topology, clock } = site;
  const state = await archiverState(await (await site.postgres()).monitor());
  const free = freeBytes(walFolder(topology));
  return {
    last_segment: state.lastSegment,
    last_archived_at: iso(state.lastArchivedAt),
    waiting_segments: state.waiting,
    waiting_bytes: state.waiting * SEGMENT_BYTES,
    waits_since: iso(state.waitsSince),
    failing_since: isFailing(state) ? iso(state.lastFailedAt) : null,
    error: state.waiting > 0 ? ((await archivingError(topology)) ?? null) : null,
    wal_bytes: state.walBytes,
    free_bytes: free,
    hours_left: hoursLeft(state, free, clock.now()),
  };
}

/** Where the WAL lies: perhaps a volume of its own. */
export const walFolder = ({ paths }: Topology): string => join(paths.postgresData, "pg_wal");

const isFailing = ({ lastFailedAt, lastArchivedAt, waiting }: ArchiverState): boolean =>
  waiting > 0 && lastFailedAt !== null && lastFailedAt > (lastArchivedAt ?? 0);

/** PostgreSQL keeps what waits: at the rate at which it piled up, the disk is full after so long. */
function hoursLeft({ waiting, waitsSince }: ArchiverState, free: number, now: number): number | null {
  // One alone shows no rate.
  if (waitsSince === null || waiting < 2) return null;
  const hours = Math.max(now - waitsSince, 1000) / 3_600_000;
  return free / ((waiting * SEGMENT_BYTES) / hours);
}

/** Milliseconds that a segment may wait: it is sent within a second or two when all is well. */
const LONG_WAIT = 30_000;

/** Hours until the disk is full below which it is urgent, and milliseconds without any success. */
const SHORT = 12;
const LONG_AGO = 3_600_000;

/** Whether WAL arrives in the repositories. An archive that does not grow while nothing is written is well. */
export function archivingHealth(seen: Archiving, { backup }: Topology["settings"], now: number): Health {
  const facts = { ...seen };
  const waits = seen.waits_since === null ? 0 : now - Date.parse(seen.waits_since);
  const isLate = waits > LONG_WAIT || seen.failing_since !== null;
  if (!isLate) return { state: "ok", says: wellInWords(seen, now), facts };
  const isUrgent = waits > LONG_AGO || (seen.hours_left !== null && seen.hours_left < SHORT);
  const state: HealthState = isUrgent ? "down" : "degraded";
  return {
    state,
    says: troubleInWords(seen, now),
    facts,
    hint:
      `What was written since can be lost with this disk, more than the promised ${formatSeconds(parseDuration(backup.archive_timeout)!)}. ` +
      "homelab logs archiving tells more; nothing is dropped, it catches up by itself.",
  };
}

function wellInWords({ last_segment: last, last_archived_at: at, waiting_segments: waiting }: Archiving, now: number) {
  if (!last || !at) return "no WAL was complete yet";
  return `last WAL ${last}, ${ago(at, now)}, ${waiting} waiting`;
}

function troubleInWords(seen: Archiving, now: number): string {
  const { waiting_segments: count, waits_since: since, error, hours_left: hours, free_bytes: free } = seen;
  const segments = count === 1 ? "1 segment waits" : `${count} segments wait`;
  const parts = [
    since ? `${segments}, the oldest for ${formatSeconds((now - Date.parse(since)) / 1000)}` : "archiving fails",
    error,
    hours === null
      ? `${formatBytes(free)} free`
      : `${formatBytes(free)} free, full in ${formatSeconds(hours * 3600)} at this rate`,
  ];
  return parts.filter((part) => part !== null).join("; ");
}

export const ago = (at: string, now: number): string =>
  `${formatSeconds(Math.max(0, (now - Date.parse(at)) / 1000))} ago`;

/** The check of the health report. */
export async function archivingCheck(site: Site): Promise<Health> {
  try {
    return archivingHealth(await archiving(site), site.topology.settings, site.clock.now());
  } catch (error) {
    return { state: "unknown", says: `PostgreSQL could not be asked: ${errorMessage(error)}` };
  }
}
