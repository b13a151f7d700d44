import { describe, expect, test } from "vitest";
import type { ArchivedSegment } from "../engines/pgbackrest/archive.ts";
import { coverageOf } from "../engines/pgbackrest/coverage.ts";
import type { BackupInfo } from "../engines/pgbackrest/info.ts";
import { legsTo, segmentName } from "../engines/pgbackrest/wal.ts";
import type { RepositoryCatalogue } from "./backup-catalogue.ts";
import { chooseFrom, parseTarget } from "./restore-target.ts";

const MINUTE = 60_000;
const START = Date.parse("2026-11-20T00:00:00Z");
/** A segment is archived each minute: the nth at the nth minute. */
const at = (index: number): string => new Date(START + index * MINUTE).toISOString();
const NOW = START + 10_000 * MINUTE;

const segment = (index: number, timeline = 1): ArchivedSegment => ({
  name: segmentName({ timeline, index }),
  at: START + index * MINUTE,
  bytes: 1,
});

const backup = (name: string, first: number, last: number, timeline = 1): BackupInfo => ({
  label: name,
  type: "full",
  repository: 1,
  archiveId: "15-1",
  startedAt: at(first),
  stoppedAt: at(last),
  databaseBytes: 1,
  storedBytes: 1,
  addedBytes: 1,
  walStart: segmentName({ timeline, index: first }),
  walStop: segmentName({ timeline, index: last }),
  lsnStop: `0/${(last * 16 * 1024 * 1024).toString(16).toUpperCase()}`,
  references: [],
  isBroken: false,
  annotations: {},
});

function catalogue(
  backups: BackupInfo[],
  segments: ArchivedSegment[],
  legs = legsTo(1, undefined),
): RepositoryCatalogue {
  return {
    repository: { number: 1, name: "local", type: "disk", path: "/x", cipher_pass: null },
    trouble: undefined,
    backups,
    archiveId: "15-1",
    coverage: coverageOf(backups, segments, legs, () => undefined, NOW),
    legs,
    running: undefined,
  };
}

const FIRST = "20261120-000200F";
const SECOND = "20261120-002000F";
const range = (from: number, to: number, timeline = 1) =>
  Array.from({ length: to - from + 1 }, (_, i) => segment(from + i, timeline));

const whole = catalogue([backup(FIRST, 2, 3), backup(SECOND, 20, 21)], range(1, 40));
const up = { canArchive: true };
const down = { canArchive: false };
const labelFor = (
  from: RepositoryCatalogue,
  wish: Parameters<typeof chooseFrom>[1],
  how: Parameters<typeof chooseFrom>[3] = up,
) => chooseFrom([from], wish, NOW, how).backup.label;
const refusalOf = (...args: Parameters<typeof labelFor>) => {
  try {
    return labelFor(...args);
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code}: ${message}`;
  }
};

describe("a moment", () => {
  test("is reached from the newest backup that had ended by then", () => {
    expect(labelFor(whole, { to: at(15) })).toBe(FIRST);
    expect(labelFor(whole, { to: at(30) })).toBe(SECOND);
    // The backup's last second is not behind its end.
    expect(labelFor(whole, { to: at(21) })).toBe(FIRST);
  });

  test("is refused in the future, before the oldest backup, and behind the archive where the cluster is down", () => {
    expect(refusalOf(whole, { to: new Date(NOW + 1).toISOString() })).toContain("target_outside_window");
    expect(refusalOf(whole, { to: at(2) })).toContain("no backup had ended by then");
    expect(refusalOf(whole, { to: at(50) }, down)).toContain("the cluster is not running");
    expect(labelFor(whole, { to: at(50) }, up)).toBe(SECOND);
  });

  test("behind a gap is refused with what is missing, until a backup is there behind it", () => {
    const holey = range(1, 40).filter(({ name }) => name !== segmentName({ timeline: 1, index: 10 }));
    const one = catalogue([backup(FIRST, 2, 3)], holey);
    expect(labelFor(one, { to: at(8) })).toBe(FIRST);
    expect(refusalOf(one, { to: at(15) })).toContain(`${segmentName({ timeline: 1, index: 10 })} is missing`);
    expect(refusalOf(one, { latest: true })).toContain("is missing");
    const two = catalogue([backup(FIRST, 2, 3), backup(SECOND, 20, 21)], holey);
    expect(labelFor(two, { to: at(30) })).toBe(SECOND);
    expect(refusalOf(two, { to: at(15) })).toContain("is missing");
  });

  test("that only the newest segments lead to is refused when those did not arrive", () => {
    const archived = segmentName({ timeline: 1, index: 41 });
    expect(refusalOf(whole, { to: at(50) }, { canArchive: true, archived })).toContain(`${archived} is missing`);
    const arrived = catalogue([backup(FIRST, 2, 3)], range(1, 41));
    expect(labelFor(arrived, { to: at(50) }, { canArchive: true, archived })).toBe(FIRST);
  });

  test("F66: on a timeline that was left is reached by the way that was taken, never by the one that was left", () => {
    // Left in segment 16: what the old timeline wrote from there on belongs to nothing any more.
    const legs = legsTo(2, "1\t0/10000000\tno recovery target specified\n");
    const forked = catalogue(
      [backup(FIRST, 2, 3), backup("20261120-001700F", 17, 18), backup(SECOND, 20, 21, 2)],
      [...range(1, 19), ...range(16, 40, 2)],
      legs,
    );
    expect(labelFor(forked, { to: at(10) })).toBe(FIRST);
    expect(labelFor(forked, { to: at(19) })).toBe(FIRST);
    expect(labelFor(forked, { to: at(30) })).toBe(SECOND);
    expect(refusalOf(forked, { backup: "20261120-001700F" })).toContain("a timeline that was left");
  });
});

describe("other targets", () => {
  test("a position is reached from the newest backup before it", () => {
    expect(labelFor(whole, { lsn: "0/F000000" })).toBe(FIRST);
    expect(labelFor(whole, { lsn: "0/1E000000" })).toBe(SECOND);
    expect(refusalOf(whole, { lsn: "0/1000000" })).toContain("no backup had ended by then");
    expect(refusalOf(whole, { lsn: "0/40000000" }, down)).toContain("target_outside_window");
  });

  test("a transaction and a restore point need a backup to begin from", () => {
    expect(refusalOf(whole, { xid: "740" })).toContain("a backup has to be named");
    expect(labelFor(whole, { restore_point: "before", backup: FIRST })).toBe(FIRST);
  });

  test("a backup alone is restored to its own end", () => {
    expect(labelFor(whole, { backup: "latest" })).toBe(SECOND);
    expect(labelFor(whole, { backup: `${FIRST}@local` })).toBe(FIRST);
    expect(refusalOf(whole, { backup: `${FIRST}@elsewhere` })).toContain("not_found");
    expect(parseTarget({ backup: FIRST })).toEqual({ type: "immediate" });
    expect(() => parseTarget({ to: at(1), latest: true })).toThrow("only one target");
  });

  test("a repository that cannot be read, and one without a backup, say so", () => {
    expect(refusalOf({ ...whole, trouble: "no such bucket" }, { backup: "latest" })).toContain("no such bucket");
    expect(refusalOf(catalogue([], []), { latest: true })).toContain("there is no backup yet");
  });
});
