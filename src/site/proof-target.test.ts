import { describe, expect, test } from "vitest";
import type { BackupInfo } from "../engines/pgbackrest/info.ts";
import type { RepositoryCatalogue } from "./backup-catalogue.ts";
import { drawSecond, markBefore, spanOf } from "./proof-target.ts";

const at = (time: string) => Date.parse(`2026-11-20T${time}Z`);
const NOW = at("12:00:00");

const backup = (label: string, stopped: string, repository = 1): BackupInfo => ({
  label,
  type: "full",
  repository,
  archiveId: "15-1",
  startedAt: `2026-11-20T${stopped}.000Z`,
  stoppedAt: `2026-11-20T${stopped}.000Z`,
  databaseBytes: 1,
  storedBytes: 1,
  addedBytes: 1,
  walStart: null,
  walStop: null,
  lsnStop: null,
  references: [],
  isBroken: false,
  annotations: {},
});

function catalogue(backups: BackupInfo[], bad: string[] = [], name = "local"): RepositoryCatalogue {
  return {
    repository: { number: 1, name, type: "disk", path: "/backups", cipher_pass: null },
    archiveId: "15-1",
    trouble: undefined,
    backups,
    coverage: {
      windows: [
        {
          from: "2026-11-20T02:00:00.000Z",
          to: "2026-11-20T11:59:00.000Z",
          labels: backups.map(({ label }) => label).filter((label) => !bad.includes(label)),
        },
      ],
      gaps: [],
      unusable: new Map(bad.map((label) => [label, "bad"])),
      lastSegment: undefined,
    },
    legs: [],
    running: undefined,
  };
}

const two = catalogue([backup("A", "02:00:00"), backup("B", "08:00:00")]);

describe("what is proven", () => {
  test("is the newest good backup, with all that came behind it", () => {
    const span = spanOf([two], {}, NOW);
    expect([span.backup.label, span.from, span.until]).toEqual(["B", at("08:00:01"), undefined]);
    expect(spanOf([catalogue(two.backups, ["B"])], {}, NOW).backup.label).toBe("A");
  });

  test("is a backup by its name, also a bad one, up to where the next one begins", () => {
    const span = spanOf([catalogue(two.backups, ["A"])], { backup: "A" }, NOW);
    expect([span.backup.label, span.until]).toEqual(["A", at("08:00:00")]);
    expect(spanOf([two], { backup: "B@local" }, NOW).backup.label).toBe("B");
    expect(spanOf([catalogue(two.backups, ["B"])], {}, NOW).until).toBeUndefined();
  });

  test("is, for a second that was asked for, the newest good backup before it", () => {
    expect(spanOf([two], { to: "2026-11-20T07:00:00Z" }, NOW).backup.label).toBe("A");
    expect(spanOf([two], { to: "2026-11-20T10:00:00+02:00" }, NOW).backup.label).toBe("A");
    expect(spanOf([two], { to: "2026-11-20T09:00:00Z" }, NOW).backup.label).toBe("B");
  });

  test("ends before WAL that is missing", () => {
    const gap = {
      first: "a",
      last: "a",
      count: 1,
      from: 1,
      to: 1,
      after: "2026-11-20T09:30:00.000Z",
      before: null,
    };
    const cut = { ...two, coverage: { ...two.coverage, gaps: [gap] } };
    expect(spanOf([cut], {}, NOW).until).toBe(at("09:30:00"));
  });

  test.each([
    ["before every backup", { to: "2026-11-20T01:00:00Z" }],
    ["in the future", { to: "2026-11-20T12:00:01Z" }],
    ["not the named backup's", { backup: "A", to: "2026-11-20T09:00:00Z" }],
  ])("is refused for a second that is %s, with what would do", (_, wish) => {
    expect(() => spanOf([two], wish, NOW)).toThrow(/is proven with a second from .* to /);
  });

  test("is nothing where there is no good backup, or none of that name", () => {
    expect(() => spanOf([catalogue([])], {}, NOW)).toThrow("there is no backup that could be proven");
    expect(() => spanOf([two], { backup: "C" }, NOW)).toThrow("there is no backup C");
  });
});

describe("the second that is drawn", () => {
  const span = { from: at("08:00:01"), until: undefined };
  const highest = (_from: number, to: number) => to - 1;
  const lowest = (from: number) => from;

  test("lies behind the backup and before the last transaction in the archive", () => {
    const drawing = { span, marks: [], closedAt: at("08:00:05") + 300 };
    expect(drawSecond({ ...drawing, draw: lowest })).toBe(at("08:00:01"));
    expect(drawSecond({ ...drawing, draw: highest })).toBe(at("08:00:05"));
    expect(drawSecond({ ...drawing, closedAt: at("08:00:05"), draw: highest })).toBe(at("08:00:04"));
  });

  test("has a mark before it, where there is one", () => {
    const marks = [{ id: "m", at: at("08:00:03") + 1 }];
    expect(drawSecond({ span, marks, closedAt: at("09:00:00"), draw: lowest })).toBe(at("08:00:04"));
    const older = [{ id: "m", at: at("07:00:00") }, ...marks];
    expect(drawSecond({ span, marks: older, closedAt: at("09:00:00"), draw: lowest })).toBe(at("08:00:01"));
    const later = [{ id: "m", at: at("10:00:00") }];
    expect(drawSecond({ span, marks: later, closedAt: at("09:00:00"), draw: lowest })).toBe(at("08:00:01"));
  });

  test("stays before the next backup's end", () => {
    const bounded = { from: at("08:00:01"), until: at("08:30:00") };
    expect(drawSecond({ span: bounded, marks: [], closedAt: NOW, draw: highest })).toBe(at("08:29:59"));
  });

  test("is compared with the newest mark that it brings back", () => {
    const marks = [
      { id: "new", at: at("09:00:00") + 400 },
      { id: "old", at: at("07:00:00") },
    ];
    expect(markBefore(marks, at("09:00:00"))?.id).toBe("old");
    expect(markBefore(marks, at("09:00:01"))?.id).toBe("new");
    expect(markBefore(marks, at("06:00:00"))).toBeUndefined();
  });
});
