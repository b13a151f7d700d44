import type { RepositoryCatalogue } from "../site/backup-catalogue.ts";
import { backupSummary, type BackupSummary } from "../site/backup-summary.ts";

/** A backup in a list: what the API answers. */
export type ListedBackup = BackupSummary;

/** What can be had back of one repository. */
interface RepositoryWindow {
  repository: string;
  /** Why nothing is known of it, or nothing can be had back. */
  trouble: string | null;
  windows: { from: string; to: string; labels: string[] }[];
  gaps: { from: string; to: string | null; first_missing: string; last_missing: string; segments: number }[];
}

/** What can be had back, and since when that was last proven. */
export interface RecoveryWindow {
  /** The window that reaches to the newest moment, of the repository that has the longest; null when nothing can be had back. */
  from: string | null;
  to: string | null;
  last_proven_at: string | null;
  last_backup_at: string | null;
  repositories: RepositoryWindow[];
}

/** Every backup of every repository, the newest first. */
export const backupList = (catalogues: RepositoryCatalogue[]): ListedBackup[] =>
  catalogues
    .flatMap((catalogue) => catalogue.backups.map((backup) => backupSummary(catalogue, backup)))
    .sort((a, b) => b.stopped_at.localeCompare(a.stopped_at) || a.repository.localeCompare(b.repository));

/** What the repositories can bring back together. */
export function recoveryWindow(catalogues: RepositoryCatalogue[]): RecoveryWindow {
  const repositories = catalogues.map(windowOf);
  const newest = repositories
    .flatMap(({ windows }) => windows.slice(-1))
    .sort((a, b) => b.to.localeCompare(a.to) || a.from.localeCompare(b.from))[0];
  const list = backupList(catalogues);
  const latest = (moments: (string | null)[]) =>
    moments
      .filter((at) => at !== null)
      .sort()
      .at(-1) ?? null;
  return {
    from: newest?.from ?? null,
    to: newest?.to ?? null,
    last_proven_at: latest(list.map(({ proven_at }) => proven_at)),
    last_backup_at: latest(list.filter(({ checked }) => checked).map(({ stopped_at }) => stopped_at)),
    repositories,
  };
}

const windowOf = ({ repository, trouble, warning, coverage }: RepositoryCatalogue): RepositoryWindow => ({
  repository: repository.name,
  trouble: trouble ?? warning ?? null,
  windows: coverage.windows,
  gaps: coverage.gaps.map(({ after, before, first, last, count }) => ({
    from: after,
    to: before,
    first_missing: first,
    last_missing: last,
    segments: count,
  })),
});
