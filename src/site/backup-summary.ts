import { noteOf } from "../engines/pgbackrest/annotations.ts";
import type { BackupInfo } from "../engines/pgbackrest/info.ts";
import type { RepositoryCatalogue } from "./backup-catalogue.ts";

/** A backup as the journal and the API show it. */
export interface BackupSummary {
  /** The label with the repository: the same backup is never in two of them, but labels may meet. */
  id: string;
  label: string;
  type: string;
  repository: string;
  started_at: string;
  stopped_at: string;
  database_bytes: number;
  /** With the backups that it builds on; null where pgBackRest does not say. */
  stored_bytes: number | null;
  added_bytes: number;
  wal_start: string | null;
  wal_stop: string | null;
  /** It is whole, and so is its WAL, as far as the repository's listing and pgBackRest's own checks tell. */
  checked: boolean;
  /** Why it is not to be relied on. */
  fault: string | null;
  /** When it was restored, started and read. */
  proven_at: string | null;
  note: string | null;
  by: string | null;
}

/** What is known of one backup of a repository. */
export function backupSummary({ repository, coverage }: RepositoryCatalogue, backup: BackupInfo): BackupSummary {
  const fault = coverage.unusable.get(backup.label) ?? null;
  return {
    id: `${backup.label}@${repository.name}`,
    label: backup.label,
    type: backup.type,
    repository: repository.name,
    started_at: backup.startedAt,
    stopped_at: backup.stoppedAt,
    database_bytes: backup.databaseBytes,
    stored_bytes: backup.storedBytes,
    added_bytes: backup.addedBytes,
    wal_start: backup.walStart,
    wal_stop: backup.walStop,
    checked: fault === null,
    fault,
    proven_at: noteOf(backup, "proven") ?? null,
    note: noteOf(backup, "note") ?? null,
    by: noteOf(backup, "by") ?? null,
  };
}
