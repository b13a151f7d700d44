import { describe, expect, test } from "vitest";
import { sampleBackup } from "../../../tests/harness/sample-backups.ts";
import type { BackupInfo } from "./info.ts";
import { keptOf, type Retention, type Standing } from "./retention.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const WISH: Retention = { full: 2, diff: 1, archiveDays: 7 };

const day = (n: number) => `2026-11-${String(n).padStart(2, "0")}T02:00:00Z`;
const fulls = (...days: number[]): BackupInfo[] => days.map((n) => sampleBackup("full", day(n)));

/** Everything is good and nothing proven, but for the labels that are named. */
function standing({ bad = [], proven = [] }: { bad?: BackupInfo[]; proven?: BackupInfo[] } = {}): Standing {
  return { isGood: (backup) => !bad.includes(backup), isProven: (backup) => proven.includes(backup) };
}

const kept = (backups: BackupInfo[], wish: Partial<Retention> = {}, marks: Parameters<typeof standing>[0] = {}) =>
  keptOf(backups, { ...WISH, ...wish }, standing(marks), NOW);

describe("full backups", () => {
  test("the number of the settings stays, and the older ones go with all that builds on them", () => {
    const [a, b, c] = fulls(17, 18, 19) as [BackupInfo, BackupInfo, BackupInfo];
    const diff = sampleBackup("diff", "2026-11-17T12:00:00Z", { full: a });
    const incr = sampleBackup("incr", "2026-11-17T13:00:00Z", { full: a, references: [a.label, diff.label] });
    const { full, going, pinned } = kept([a, diff, incr, b, c]);
    expect(full).toBe(2);
    expect(going).toEqual([a.label, diff.label, incr.label]);
    expect(pinned).toEqual([]);
  });

  test("fewer than the number all stay, and one stays where there is only one", () => {
    expect(kept(fulls(19), { full: 7 })).toMatchObject({ full: 1, archive: 1, going: [] });
    expect(kept([], { full: 7 })).toMatchObject({ full: 1, archive: 1, going: [] });
  });

  test("F74: a bad one does not count, so that it pushes no good one out, and it is said why that stays", () => {
    const [a, b, c] = fulls(17, 18, 19) as [BackupInfo, BackupInfo, BackupInfo];
    const { full, going, pinned } = kept([a, b, c], {}, { bad: [c] });
    expect(full).toBe(3);
    expect(going).toEqual([]);
    expect(pinned).toEqual([{ label: a.label, why: "newer ones must not be relied on, and do not count" }]);
    expect(kept([a, b, c], { full: 1 }, { bad: [b, c] })).toMatchObject({ full: 3, going: [] });
  });

  test("F74: the last one that was proven never goes, whatever the number", () => {
    const [a, b, c, d] = fulls(16, 17, 18, 19) as [BackupInfo, BackupInfo, BackupInfo, BackupInfo];
    const { full, going, pinned } = kept([a, b, c, d], { full: 1 }, { proven: [a, b] });
    expect(full).toBe(3);
    expect(going).toEqual([a.label]);
    expect(pinned.map(({ label }) => label)).toEqual([c.label, b.label]);
    expect(pinned[1]!.why).toBe("nothing newer was proven");
  });

  test("F74: what a proven incremental one builds on never goes either", () => {
    const [a, b, c] = fulls(17, 18, 19) as [BackupInfo, BackupInfo, BackupInfo];
    const incr = sampleBackup("incr", "2026-11-17T13:00:00Z", { full: a });
    expect(kept([a, incr, b, c], { full: 1 }, { proven: [incr] })).toMatchObject({ full: 3, archive: 3, going: [] });
  });
});

describe("differential backups", () => {
  const [a, b] = fulls(17, 19) as [BackupInfo, BackupInfo];
  const old = sampleBackup("diff", "2026-11-17T12:00:00Z", { full: a });
  const middle = sampleBackup("diff", "2026-11-18T12:00:00Z", { full: a });
  const onMiddle = sampleBackup("incr", "2026-11-18T13:00:00Z", { full: a, references: [a.label, middle.label] });
  const young = sampleBackup("diff", "2026-11-19T12:00:00Z", { full: b });
  const all = [a, old, middle, onMiddle, b, young];

  test("are counted for themselves, though pgBackRest counts the full ones with them", () => {
    // The newest first: young, b, middle, old, a. One that is good is the first of them.
    expect(kept(all, { diff: 1 })).toMatchObject({ diff: 1, going: [middle.label, onMiddle.label, old.label] });
    // Two of them are reached with the third of what pgBackRest counts.
    expect(kept(all, { diff: 2 })).toMatchObject({ diff: 3, going: [old.label] });
  });

  test("F74: a proven one stays, and so does what a proven one builds on", () => {
    expect(kept(all, { diff: 1 }, { proven: [middle] })).toMatchObject({ diff: 3, going: [old.label] });
    const marked = kept(all, { diff: 1 }, { proven: [onMiddle] });
    expect(marked).toMatchObject({ diff: 3, going: [old.label] });
    expect(marked.pinned).toEqual([{ label: middle.label, why: "nothing newer was proven" }]);
  });

  test("a bad one does not count", () => {
    expect(kept(all, { diff: 1 }, { bad: [young] })).toMatchObject({ diff: 3, going: [old.label] });
  });
});

describe("WAL", () => {
  test("stays from the full backup on that reaches back over the days", () => {
    expect(kept(fulls(10, 12, 14, 16, 18), { full: 5, archiveDays: 3 }).archive).toBe(2);
    expect(kept(fulls(10, 12, 14, 16, 18), { full: 5, archiveDays: 5 }).archive).toBe(3);
    expect(kept(fulls(18, 19), { full: 5, archiveDays: 5 }).archive).toBe(2);
  });

  test("stays longer where that full backup is bad: nothing could begin from it", () => {
    const all = fulls(10, 12, 14, 16, 18);
    expect(kept(all, { full: 4, archiveDays: 3 }, { bad: [all[3]!] }).archive).toBe(3);
  });

  test("never stays shorter than the newest good full backup reaches", () => {
    const all = fulls(10, 12);
    expect(kept(all, { full: 1, archiveDays: 1 }, { bad: [all[1]!] })).toMatchObject({ full: 2, archive: 2 });
  });
});
