import type { BackupInfo } from "../engines/pgbackrest/info.ts";
import type { Kept } from "../engines/pgbackrest/retention.ts";
import { goodBackups, type RepositoryCatalogue } from "../site/backup-catalogue.ts";
import { keptNext, keptNow, retentionOf } from "../site/backup-retention.ts";
import type { Site } from "../site/site.ts";

/** A backup whose day has come, or comes. */
interface GoingBackup {
  label: string;
  type: string;
  stopped_at: string;
  added_bytes: number;
  /** `now`: with the end of the next backup of any kind; `next full`: once another full one was made. */
  when: "now" | "next full";
}

/** What the retention does in one repository. */
interface RepositoryRetention {
  repository: string;
  trouble: string | null;
  going: GoingBackup[];
  /** What stays though the settings alone would let it go. */
  pinned: { label: string; why: string }[];
  /** The full backup from which on any second can be had back; before it, only the backups themselves. */
  wal_from: string | null;
}

/** What will go next, and what stays in spite of the settings. */
export interface RetentionPreview {
  keep: { full: number; diff: number; archive_days: number };
  repositories: RepositoryRetention[];
}

/** Works out what the next backups will remove. Nothing is removed by it. */
export function retentionPreview(site: Site, catalogues: RepositoryCatalogue[]): RetentionPreview {
  const { full, diff, archiveDays } = retentionOf(site);
  return {
    keep: { full, diff, archive_days: archiveDays },
    repositories: catalogues.map((catalogue) => previewOf(site, catalogue)),
  };
}

function previewOf(site: Site, catalogue: RepositoryCatalogue): RepositoryRetention {
  const { repository, trouble, backups } = catalogue;
  const now = keptNow(site, catalogue);
  const next = keptNext(site, catalogue);
  const later = next.going.filter((label) => !now.going.includes(label));
  const pick = (labels: string[], when: GoingBackup["when"]) =>
    backups.filter(({ label }) => labels.includes(label)).map((each) => goingOf(each, when));
  return {
    repository: repository.name,
    trouble: trouble ?? null,
    going: [...pick(now.going, "now"), ...pick(later, "next full")],
    pinned: now.pinned,
    wal_from: walFrom(catalogue, now),
  };
}

const goingOf = ({ label, type, stoppedAt, addedBytes }: BackupInfo, when: GoingBackup["when"]): GoingBackup => ({
  label,
  type,
  stopped_at: stoppedAt,
  added_bytes: addedBytes,
  when,
});

function walFrom(catalogue: RepositoryCatalogue, { archive }: Kept): string | null {
  const good = new Set(goodBackups(catalogue));
  const fulls = catalogue.backups.filter(({ type }) => type === "full").slice(-archive);
  return fulls.find((each) => good.has(each))?.label ?? null;
}
