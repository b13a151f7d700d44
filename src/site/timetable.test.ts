import { describe, expect, test } from "vitest";
import { sampleBackup, sampleCatalogue, sampleSegments } from "../../tests/harness/sample-backups.ts";
import { sampleStorage } from "../../tests/harness/sample-topology.ts";
import type { BackupInfo } from "../engines/pgbackrest/info.ts";
import { dueBackup, isDue, nextBackups, retryAt, woundOf, type Schedules } from "./timetable.ts";

/** Moments in the machine's zone, as the schedules are meant. */
const local = (text: string): string => new Date(`2026-11-${text}`).toISOString();
const at = (text: string): number => Date.parse(local(text));

const SCHEDULES: Schedules = { full: "0 2 * * *", diff: "0 12 * * 0", incr: "0 * * * *" };
const OFF: Schedules = { full: "off", diff: "off", incr: "off" };

const NOW = "20T10:30:00";

/** All WAL until now is there, but for these places. */
const seen = (backups: BackupInfo[], now = NOW, without: number[] = []) =>
  sampleCatalogue(backups, sampleSegments(1, 30, local("20T10:20:00"), { without }), local(now));

const due = (backups: BackupInfo[], now = NOW, schedules = SCHEDULES) =>
  dueBackup([seen(backups, now)], schedules, at(now))?.type;

const full = sampleBackup("full", local("20T02:00:05"), { wal: [5, 6] });
const incr = sampleBackup("incr", local("20T10:00:05"), { full, wal: [10, 11] });

describe("what is due", () => {
  test("is a full backup where there is none, at once, and nothing where all is off", () => {
    expect(due([])).toBe("full");
    expect(due([], NOW, OFF)).toBeUndefined();
    // Nothing to build on: what is asked for only in parts begins with a whole one.
    expect(due([], NOW, { ...OFF, incr: "0 * * * *" })).toBe("full");
  });

  test("is nothing while the last moment of each has been served", () => {
    expect(due([full, incr])).toBeUndefined();
    expect(due([full, incr], "20T11:00:00")).toBe("incr");
  });

  test("is a moment that was missed, once, and the largest of those that were", () => {
    // Sunday noon and two nights passed while the machine was off.
    expect(due([full, incr], "23T08:00:00")).toBe("full");
    const caughtUp = sampleBackup("full", local("23T08:00:10"), { wal: [20, 20] });
    expect(due([full, incr, caughtUp], "23T08:01:00")).toBeUndefined();
    const sunday = sampleBackup("full", local("22T02:00:05"), { wal: [20, 20] });
    expect(due([full, incr, sunday], "22T12:00:00")).toBe("diff");
    const diff = sampleBackup("diff", local("22T12:00:05"), { full: sunday, wal: [21, 21] });
    expect(due([full, incr, sunday, diff], "22T12:30:00")).toBeUndefined();
  });

  test("a full one serves the differential and the incremental moment too", () => {
    const { diff, incr: each } = SCHEDULES;
    expect(due([full], "20T02:30:00", { full: "off", diff, incr: each })).toBeUndefined();
    expect(due([full], "20T03:00:00", { full: "off", diff, incr: each })).toBe("incr");
  });
});

describe("more repositories than one", () => {
  const other = { ...sampleStorage.repositories[0]!, number: 2, name: "other" };

  test("a new one gets its full backup alone", () => {
    const catalogues = [seen([full, incr]), { ...seen([]), repository: other }];
    expect(dueBackup(catalogues, SCHEDULES, at(NOW))).toMatchObject({ type: "full", repository: "other" });
  });

  test("what is due in all of them is one run", () => {
    const catalogues = [seen([full]), { ...seen([full]), repository: other }];
    expect(dueBackup(catalogues, SCHEDULES, at(NOW))).toMatchObject({ type: "incr", repository: undefined });
  });

  test("one that cannot be read does not keep the other from its backups", () => {
    const away = { ...seen([]), repository: other, trouble: "no answer" };
    expect(dueBackup([seen([full]), away], SCHEDULES, at(NOW))).toMatchObject({ type: "incr", repository: "local" });
    expect(dueBackup([away], SCHEDULES, at(NOW))).toBeUndefined();
  });
});

describe("F60, F61: what cannot be relied on", () => {
  test("a gap in the WAL makes a new full backup due, and says which", () => {
    const catalogue = seen([full, incr], NOW, [15]);
    expect(woundOf(catalogue)).toBe("the WAL segment 00000001000000000000000F is missing");
    expect(dueBackup([catalogue], SCHEDULES, at(NOW))).toMatchObject({ type: "full", why: woundOf(catalogue) });
  });

  test("one full backup after the gap is enough", () => {
    const after = sampleBackup("full", local("20T10:15:00"), { wal: [20, 20] });
    const catalogue = seen([full, incr, after], NOW, [15]);
    expect(woundOf(catalogue)).toBeUndefined();
    expect(dueBackup([catalogue], SCHEDULES, at(NOW))).toBeUndefined();
  });

  test("a bad backup makes a new full one due; one that is bad again waits for its moment", () => {
    const bad = (backup: BackupInfo): BackupInfo => ({ ...backup, isBroken: true });
    const again = sampleBackup("full", local("20T10:10:00"), { wal: [18, 18] });
    const third = sampleBackup("full", local("20T10:20:00"), { wal: [19, 19] });
    expect(due([full, bad(incr)])).toBe("full");
    expect(due([bad(full), incr])).toBe("full");
    expect(due([full, bad(incr), again])).toBeUndefined();
    expect(due([full, bad(incr), bad(again)])).toBe("full");
    expect(due([full, bad(incr), bad(again), bad(third)])).toBeUndefined();
    expect(due([full, bad(incr), bad(again), bad(third)], "21T02:00:00")).toBe("full");
  });

  test("nothing is made where full backups are off", () => {
    expect(dueBackup([seen([full, incr], NOW, [15])], OFF, at(NOW))).toBeUndefined();
  });
});

describe("what failed", () => {
  const run = (state: string, finished: string) => ({
    state,
    createdAt: local(finished),
    finishedAt: local(finished),
  });

  test("is tried again after ever longer pauses, until it succeeds", () => {
    const minutes = (runs: Parameters<typeof retryAt>[1]) => (retryAt("backup.create", runs) - at(NOW)) / 60_000;
    expect(retryAt("backup.create", [])).toBe(0);
    expect(minutes([run("failed", NOW)])).toBe(5);
    expect(minutes([run("failed", NOW), run("failed", NOW)])).toBe(15);
    expect(minutes(Array.from({ length: 9 }, () => run("failed", NOW)))).toBe(60);
    expect(minutes([run("failed", NOW), run("completed", NOW), run("failed", NOW)])).toBe(5);
    expect(retryAt("backup.create", [run("completed", NOW), run("failed", NOW)])).toBe(0);
  });

  test("and so is what somebody has cancelled, but not what is running", () => {
    expect(retryAt("backup.create", [run("cancelled", NOW)])).toBe(at(NOW) + 300_000);
    expect(retryAt("backup.create", [run("running", NOW), run("completed", NOW)])).toBe(0);
  });
});

test("a check or a proof that was never made is due at once, then by its schedule, and never when it is off", () => {
  expect(isDue("0 4 * * *", undefined, at(NOW))).toBe(true);
  expect(isDue("0 4 * * *", at("20T03:00:00"), at(NOW))).toBe(true);
  expect(isDue("0 4 * * *", at("20T05:00:00"), at(NOW))).toBe(false);
  expect(isDue("off", undefined, at(NOW))).toBe(false);
});

test("the next moments come in their order", () => {
  expect(nextBackups(SCHEDULES, at(NOW)).map(({ type }) => type)).toEqual(["incr", "full", "diff"]);
  expect(nextBackups(OFF, at(NOW))).toEqual([]);
});
