import type { ArchivedSegment } from "../../src/engines/pgbackrest/archive.ts";
import { coverageOf } from "../../src/engines/pgbackrest/coverage.ts";
import { faultOf } from "../../src/engines/pgbackrest/annotations.ts";
import type { BackupInfo, BackupType } from "../../src/engines/pgbackrest/info.ts";
import { legsTo, segmentName } from "../../src/engines/pgbackrest/wal.ts";
import type { RepositoryCatalogue } from "../../src/site/backup-catalogue.ts";
import { sampleStorage } from "./sample-topology.ts";

const stamp = (at: string): string => at.replace(/[-:]/g, "").replace("T", "-").slice(0, 15);

/** A backup of three seconds that began at a moment; what is not a full one is named after the full one before it. */
export function sampleBackup(
  type: BackupType,
  at: string,
  more: Partial<BackupInfo> & { full?: BackupInfo; wal?: [number, number] } = {},
): BackupInfo {
  const { full, wal = [2, 2], ...rest } = more;
  const own = `${stamp(at)}${type[0]!.toUpperCase()}`;
  return {
    label: full ? `${full.label}_${own}` : own,
    type,
    repository: 1,
    archiveId: "15-1",
    startedAt: new Date(at).toISOString(),
    stoppedAt: new Date(Date.parse(at) + 3000).toISOString(),
    databaseBytes: 30_000_000,
    storedBytes: 4_000_000,
    addedBytes: 4_000_000,
    walStart: segmentName({ timeline: 1, index: wal[0] }),
    walStop: segmentName({ timeline: 1, index: wal[1] }),
    lsnStop: "0/2000100",
    references: full ? [full.label] : [],
    isBroken: false,
    annotations: {},
    ...rest,
  };
}

/** Segments of a timeline from one place to another, a minute apart, the last at `until`; without those that are left out. */
export function sampleSegments(
  from: number,
  to: number,
  until: string,
  { without = [], timeline = 1 }: { without?: number[]; timeline?: number } = {},
): ArchivedSegment[] {
  const places = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  return places
    .filter((index) => !without.includes(index))
    .map((index) => ({
      name: segmentName({ timeline, index }),
      at: Date.parse(until) - (to - index) * 60_000,
      bytes: 1000,
    }));
}

/** A repository with these backups and segments, as it would be read at `now`. */
export function sampleCatalogue(
  backups: BackupInfo[],
  segments: ArchivedSegment[],
  now: string,
  more: Partial<RepositoryCatalogue> = {},
): RepositoryCatalogue {
  const legs = legsTo(1, undefined);
  return {
    repository: sampleStorage.repositories[0]!,
    trouble: undefined,
    archiveId: "15-1",
    backups,
    coverage: coverageOf(backups, segments, legs, faultOf, Date.parse(now)),
    legs,
    running: undefined,
    ...more,
  };
}
