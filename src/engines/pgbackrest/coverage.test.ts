import { describe, expect, test } from "vitest";
import { sampleBackup, sampleSegments } from "../../../tests/harness/sample-backups.ts";
import { faultOf } from "./annotations.ts";
import { coverageOf } from "./coverage.ts";
import type { BackupInfo } from "./info.ts";
import { legsTo, segmentName, type Leg } from "./wal.ts";

const NOW = "2026-11-20T12:00:00Z";
const ONE = legsTo(1, undefined);

const cover = (backups: BackupInfo[], segments: ReturnType<typeof sampleSegments>, legs: Leg[] = ONE, now = NOW) =>
  coverageOf(backups, segments, legs, faultOf, Date.parse(now));

/** Made while segments 2 and 3 were written; those came a minute apart until eleven. */
const full = sampleBackup("full", "2026-11-20T10:52:30Z", { wal: [2, 3] });

test("from the end of the backup to the last segment any second can be had back", () => {
  const { windows, gaps, unusable, lastSegment } = cover([full], sampleSegments(1, 10, "2026-11-20T11:00:00Z"));
  expect(windows).toEqual([{ from: full.stoppedAt, to: "2026-11-20T11:00:00.000Z", labels: [full.label] }]);
  expect([gaps, [...unusable], lastSegment?.name]).toEqual([[], [], "00000001000000000000000A"]);
});

describe("F61: a segment that is missing", () => {
  const segments = sampleSegments(1, 10, "2026-11-20T11:00:00Z", { without: [6] });

  test("is named, and the window ends before it", () => {
    const { windows, gaps } = cover([full], segments);
    expect(windows).toEqual([{ from: full.stoppedAt, to: "2026-11-20T10:55:00.000Z", labels: [full.label] }]);
    expect(gaps).toMatchObject([
      {
        ...{ first: "000000010000000000000006", last: "000000010000000000000006", count: 1 },
        ...{ after: "2026-11-20T10:55:00.000Z", before: "2026-11-20T10:57:00.000Z" },
      },
    ]);
  });

  test("splits the window where a later backup stands", () => {
    const later = sampleBackup("incr", "2026-11-20T10:58:10Z", { full, wal: [8, 8] });
    expect(cover([full, later], segments).windows).toEqual([
      { from: full.stoppedAt, to: "2026-11-20T10:55:00.000Z", labels: [full.label] },
      { from: later.stoppedAt, to: "2026-11-20T11:00:00.000Z", labels: [later.label] },
    ]);
  });

  test("makes a backup unusable that was made while it was written", () => {
    const made = sampleBackup("incr", "2026-11-20T10:56:10Z", { full, wal: [5, 7] });
    expect([...cover([full, made], segments).unusable]).toEqual([
      [made.label, "000000010000000000000006 of its own WAL is missing"],
    ]);
  });

  test("is no gap before the oldest backup: nothing needs it", () => {
    const late = sampleBackup("full", "2026-11-20T10:58:10Z", { wal: [8, 8] });
    expect(cover([late], segments)).toMatchObject({ gaps: [], windows: [{ from: late.stoppedAt }] });
  });

  test("may only be late where the one behind it has just come, and the window ends there until then", () => {
    const { windows, gaps } = cover([full], segments, ONE, "2026-11-20T10:58:30Z");
    expect(gaps).toEqual([]);
    expect(windows[0]!.to).toBe("2026-11-20T10:55:00.000Z");
  });
});

test("F60: a segment that was found corrupt is as good as missing, at once", () => {
  const segments = sampleSegments(1, 10, "2026-11-20T11:00:00Z");
  const name = segmentName({ timeline: 1, index: 6 });
  const now = Date.parse("2026-11-20T10:58:30Z");
  const { windows, gaps } = coverageOf([full], segments, ONE, faultOf, now, new Set([name]));
  expect(gaps).toMatchObject([{ first: name, count: 1 }]);
  expect(windows[0]!.to).toBe("2026-11-20T10:55:00.000Z");
});

test("without any WAL no backup can be used, and nothing can be had back", () => {
  const { windows, unusable, lastSegment } = cover([full], []);
  expect([windows, lastSegment]).toEqual([[], undefined]);
  expect([...unusable.keys()]).toEqual([full.label]);
  // There is no way to a timeline either, where nothing was ever archived.
  expect(cover([], [], [])).toMatchObject({ windows: [], gaps: [] });
});

test("without any backup there is no window", () => {
  expect(cover([], sampleSegments(1, 10, NOW))).toMatchObject({ windows: [], gaps: [] });
});

test("what builds on a bad backup is bad as well", () => {
  const bad = { ...full, annotations: { "homelab-bad": "1 file corrupt" } };
  const incr = sampleBackup("incr", "2026-11-20T10:58:10Z", { full, wal: [8, 8] });
  const { unusable } = cover([bad, incr], sampleSegments(1, 10, "2026-11-20T11:00:00Z"));
  expect(unusable.get(incr.label)).toBe(`it builds on ${full.label}: 1 file corrupt`);
});

test("a bad backup gives no window, and says why", () => {
  const bad = { ...full, annotations: { "homelab-bad": "3 files corrupt in the repository" } };
  const broken = sampleBackup("incr", "2026-11-20T10:58:10Z", { full, wal: [8, 8], isBroken: true });
  const { windows, unusable } = cover([bad, broken], sampleSegments(1, 10, "2026-11-20T11:00:00Z"));
  expect(windows).toEqual([]);
  expect([...unusable.values()]).toEqual([
    "3 files corrupt in the repository",
    "pages in it do not match their checksums",
  ]);
});

describe("with a timeline that was left", () => {
  const legs = legsTo(2, "1\t0/6000000\tbefore 2026-11-20 10:56:00+00\n");
  const segments = [
    ...sampleSegments(1, 9, "2026-11-20T10:59:00Z"),
    ...sampleSegments(6, 8, "2026-11-20T11:30:00Z", { timeline: 2 }),
  ];

  test("the window goes on along the new one", () => {
    const { windows, gaps, lastSegment } = cover([full], segments, legs);
    expect(gaps).toEqual([]);
    expect(windows).toEqual([{ from: full.stoppedAt, to: "2026-11-20T11:30:00.000Z", labels: [full.label] }]);
    expect(lastSegment?.name).toBe(segmentName({ timeline: 2, index: 8 }));
  });

  test("a backup from behind the branch belongs to the old one", () => {
    const left = sampleBackup("incr", "2026-11-20T10:57:10Z", { full, wal: [7, 7] });
    expect(cover([full, left], segments, legs).unusable.get(left.label)).toBe("it belongs to a timeline that was left");
  });
});

test("a hundred thousand segments are listed without trouble", () => {
  const many = sampleSegments(1, 150_000, "2026-11-20T11:00:00Z");
  expect(cover([full], many).gaps).toEqual([]);
});
