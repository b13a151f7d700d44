import { expect, test } from "vitest";
import type { ArchivedSegment } from "./archive.ts";
import { coverageOf } from "./coverage.ts";
import type { BackupInfo } from "./info.ts";
import { legsTo, segmentName } from "./wal.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const FIRST = Date.parse("2026-11-20T10:00:00Z");

/** Segments of one timeline; each comes a minute after the one before it in the log. */
const segments = (timeline: number, ...indexes: number[]): ArchivedSegment[] =>
  indexes.map((index) => ({ name: segmentName({ timeline, index }), at: FIRST + index * 60_000, bytes: 1 }));

/** A backup whose own WAL is within one segment. */
function backup(label: string, timeline: number, index: number, lsnStop: string): BackupInfo {
  const wal = segmentName({ timeline, index });
  const at = new Date(FIRST + index * 60_000).toISOString();
  return {
    ...{ label, type: "full", repository: 1, archiveId: "15-1", startedAt: at, stoppedAt: at, lsnStop },
    ...{ databaseBytes: 1, storedBytes: 1, addedBytes: 1, walStart: wal, walStop: wal },
    ...{ references: [], isBroken: false, annotations: {} },
  };
}

const cover = (backups: BackupInfo[], archive: ArchivedSegment[], timeline: number, history: string) =>
  coverageOf(backups, archive, legsTo(timeline, history), () => undefined, NOW);

test("a backup that ended in the segment in which its timeline was left is usable if it ended before that, and else was left too", () => {
  const archive = [...segments(1, 2, 3, 4, 5), ...segments(2, 4, 5)];
  const before = backup("before", 1, 4, "0/4000100");
  const after = backup("after", 1, 4, "0/4000900");
  const { unusable, windows } = cover([before, after], archive, 2, "1\t0/4000200\tbefore 2026\n");
  expect([...unusable]).toEqual([["after", "it belongs to a timeline that was left"]]);
  expect(windows.map(({ labels }) => labels)).toEqual([["before"]]);
});

test("right after a restore no WAL is missing: the segment that was left serves until the new timeline's has come", () => {
  const made = backup("made", 1, 4, "0/4000100");
  const history = "1\t0/4000200\tno recovery target specified\n";
  const fresh = cover([made], segments(1, 2, 3, 4, 5, 6), 2, history);
  expect([fresh.gaps, [...fresh.unusable], fresh.lastSegment?.name]).toEqual([
    [],
    [],
    segmentName({ timeline: 1, index: 4 }),
  ]);
  const later = cover([made], [...segments(1, 2, 3, 4, 5, 6), ...segments(2, 5)], 2, history);
  expect([...later.unusable]).toEqual([
    ["made", `${segmentName({ timeline: 2, index: 4 })} of its own WAL is missing`],
  ]);
});

test("a segment that the timeline had filled before it was left is not asked for on the next one", () => {
  const made = backup("made", 1, 3, "0/3000100");
  const { gaps, lastSegment } = cover([made], segments(1, 2, 3), 2, "1\t0/4000000\tx\n");
  expect([gaps, lastSegment?.name]).toEqual([[], segmentName({ timeline: 1, index: 3 })]);
});

test("after a restore and its undo the way leads past what the restore wrote, and its backups were left with it", () => {
  const archive = [...segments(1, 2, 3, 4, 5, 6, 7), ...segments(2, 4), ...segments(3, 5, 6), ...segments(4, 8, 9)];
  const made = backup("made", 1, 2, "0/2000100");
  const meanwhile = backup("meanwhile", 3, 5, "0/5000100");
  const { windows, gaps, unusable, lastSegment } = cover([made, meanwhile], archive, 4, "1\t0/8000100\tundone\n");
  expect(gaps).toEqual([]);
  expect(windows).toEqual([{ from: made.stoppedAt, to: new Date(FIRST + 9 * 60_000).toISOString(), labels: ["made"] }]);
  expect([...unusable]).toEqual([["meanwhile", "it belongs to a timeline that was left"]]);
  expect(lastSegment?.name).toBe(segmentName({ timeline: 4, index: 9 }));
});
