import type { Session } from "./sessions.ts";

/** What PostgreSQL says of the archiving of its WAL. Times are milliseconds since 1970. */
export interface ArchiverState {
  /** The last file's, which may also be the label of a backup. */
  lastSegment: string | null;
  lastArchivedAt: number | null;
  lastFailedAt: number | null;
  failures: number;
  /** Segments that are complete and not archived, and since when the oldest of them waits. */
  waiting: number;
  waitsSince: number | null;
  /** The bytes of all WAL on the disk. */
  walBytes: number;
}

interface Row {
  last_segment: string | null;
  last_archived: number | null;
  last_failed: number | null;
  failures: number;
  waiting: number;
  waits_since: number | null;
  wal_bytes: number;
}

const milliseconds = (column: string): string => `pg_catalog.date_part('epoch', ${column}) * 1000`;

/**
 * Asks PostgreSQL. Its counter of failures stays 0 where archive_command cannot be started (measured, 15), so what waits
 * is read from `archive_status` itself (PostgreSQL manual, 9.27.9; a member of pg_monitor may).
 */
export async function archiverState(session: Session): Promise<ArchiverState> {
  const [row] = await session.query<Row>(
    `SELECT pg_catalog.left(a.last_archived_wal, 24) AS last_segment, ${milliseconds("a.last_archived_time")} AS last_archived,
            ${milliseconds("a.last_failed_time")} AS last_failed, a.failed_count::int AS failures,
            r.waiting, r.waits_since, w.bytes AS wal_bytes
     FROM pg_catalog.pg_stat_archiver a,
          (SELECT count(*)::int AS waiting, ${milliseconds("min(modification)")} AS waits_since
           FROM pg_catalog.pg_ls_archive_statusdir() WHERE name LIKE '%.ready') r,
          (SELECT coalesce(sum(size), 0)::float8 AS bytes FROM pg_catalog.pg_ls_waldir()
           WHERE name ~ '^[0-9A-F]{24}') w`,
  );
  return {
    lastSegment: row!.last_segment,
    lastArchivedAt: row!.last_archived,
    lastFailedAt: row!.last_failed,
    failures: row!.failures,
    waiting: row!.waiting,
    waitsSince: row!.waits_since,
    walBytes: row!.wal_bytes,
  };
}
