import { noteOf } from "../engines/pgbackrest/annotations.ts";
import type { Gap } from "../engines/pgbackrest/coverage.ts";
import type { BackupInfo } from "../engines/pgbackrest/info.ts";
import { keptOf, type Kept, type Retention, type Standing } from "../engines/pgbackrest/retention.ts";
import { placeOf } from "../engines/pgbackrest/wal.ts";
import type { RepositoryCatalogue } from "./backup-catalogue.ts";
import type { Site } from "./site.ts";

/** What the settings want to be kept. */
export function retentionOf({ topology }: Pick<Site, "topology">): Retention {
  const {
    backup_retention_full: full,
    backup_retention_diff: diff,
    backup_retention_archive,
  } = topology.settings.database;
  return { full, diff, archiveDays: backup_retention_archive };
}

/** A backup whose own WAL is missing is as bad as one with broken pages. */
const standingIn = ({ coverage }: RepositoryCatalogue): Standing => ({
  isGood: (backup) => !coverage.unusable.has(backup.label),
  // What was proven once and is found bad later is no reason to keep anything.
  isProven: (backup) => noteOf(backup, "proven") !== undefined && !coverage.unusable.has(backup.label),
});

/** What would stay of a repository now. */
export const keptNow = (site: Pick<Site, "topology" | "clock">, catalogue: RepositoryCatalogue): Kept =>
  keptOf(catalogue.backups, retentionOf(site), standingIn(catalogue), site.clock.now());

/** What would stay once another good full backup was made. */
export function keptNext(site: Pick<Site, "topology" | "clock">, catalogue: RepositoryCatalogue): Kept {
  const now = site.clock.now();
  const label = "next";
  const at = new Date(now).toISOString();
  const next: BackupInfo = {
    ...{ label, type: "full", repository: catalogue.repository.number, archiveId: catalogue.archiveId ?? "" },
    ...{ startedAt: at, stoppedAt: at, databaseBytes: 0, storedBytes: 0, addedBytes: 0 },
    ...{ walStart: null, walStop: null, lsnStop: null, references: [], isBroken: false, annotations: {} },
  };
  return keptOf([...catalogue.backups, next], retentionOf(site), standingIn(catalogue), now);
}

/** Gaps in the WAL that is to be kept: what was removed on purpose, between older backups, is none. */
export function lostGaps(site: Pick<Site, "topology" | "clock">, catalogue: RepositoryCatalogue): Gap[] {
  const fulls = catalogue.backups.filter(({ type }) => type === "full").toReversed();
  const oldest = fulls[keptNow(site, catalogue).archive - 1];
  const from = placeOf(oldest?.walStart ?? "").index || 0;
  return catalogue.coverage.gaps.filter(({ to }) => to >= from);
}
