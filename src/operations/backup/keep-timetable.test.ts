import { beforeEach, describe, expect, test } from "vitest";
import { sampleBackup, sampleCatalogue, sampleSegments } from "../../../tests/harness/sample-backups.ts";
import { sampleTopology } from "../../../tests/harness/sample-topology.ts";
import { HomelabError } from "../../core/errors.ts";
import type { Run } from "../../journal/journal.ts";
import type { RepositoryCatalogue } from "../../site/backup-catalogue.ts";
import type { Runner } from "../runner.ts";
import { keepProofs, keepTimetable } from "./keep-timetable.ts";

/** In the machine's zone, as the schedules are meant: a Friday. */
const NOW = new Date("2026-11-20T10:30:00").getTime();
const minutesAgo = (minutes: number) => new Date(NOW - minutes * 60_000).toISOString();

let started: { operation: string; input: object }[];
let runs: Partial<Run>[];
let catalogues: RepositoryCatalogue[];
beforeEach(() => {
  [started, runs] = [[], []];
  catalogues = [sampleCatalogue([], [], minutesAgo(0))];
});

/** One round of the timetable: the repositories are as `catalogues` says, the journal as `runs` does. */
function round(yaml = "", fate: () => Promise<void> = async () => {}, keep = keepTimetable): Promise<string[]> {
  const runner = {
    start: async (operation: string, input: object) => (started.push({ operation, input }), fate()),
  } as unknown as Runner;
  const journal = {
    list: async ({ state, operation }: { state?: string; operation?: string } = {}) =>
      runs.filter((run) => (!state || run.state === state) && (!operation || run.operation === operation)) as Run[],
  };
  const site = { topology: sampleTopology(yaml), clock: { now: () => NOW } };
  return keep({ site, journal, catalogues: async () => catalogues }, runner);
}

const whole = (...minutes: number[]) => {
  const backups = minutes.map((ago) => sampleBackup("full", minutesAgo(ago), { wal: [2, 3] }));
  return [sampleCatalogue(backups, sampleSegments(1, 9, minutesAgo(1)), minutesAgo(0))];
};

test("a home without a backup gets a full one, and it says why", async () => {
  expect(await round()).toEqual(["full backup: there is no full backup yet"]);
  expect(started).toEqual([{ operation: "backup.create", input: { type: "full" } }]);
});

test.each(["cluster.create", "cluster.converge", "backup.create", "backup.check"])(
  "nothing is begun while %s runs",
  async (operation) => {
    runs = [{ operation, state: "running" }];
    expect(await round()).toEqual([]);
    expect(started).toEqual([]);
  },
);

test("what failed is not tried again before its pause is over", async () => {
  runs = [{ operation: "backup.create", state: "failed", createdAt: minutesAgo(4), finishedAt: minutesAgo(4) }];
  expect(await round()).toEqual([]);
  runs = [{ operation: "backup.create", state: "failed", createdAt: minutesAgo(6), finishedAt: minutesAgo(6) }];
  expect(await round()).toHaveLength(1);
});

test("what somebody else has made between two looks is not made again", async () => {
  const looks = [sampleCatalogue([], [], minutesAgo(0)), ...whole(1)];
  const runner = { start: async () => expect.unreachable() } as unknown as Runner;
  const site = {
    topology: sampleTopology("backup: {schedule_check: 'off'}"),
    clock: { now: () => NOW },
  };
  const parts = { site, journal: { list: async () => [] }, catalogues: async () => [looks.shift()!] };
  expect(await keepTimetable(parts, runner)).toEqual([]);
});

test("whoever was quicker is left at it, and every other error is said", async () => {
  const throwing = (code: "busy" | "backup_failed") => async () => {
    throw new HomelabError(code, "no");
  };
  expect(await round(undefined, throwing("busy"))).toEqual([]);
  await expect(round(undefined, throwing("backup_failed"))).rejects.toThrow("no");
});

test("the repositories are read whole when the schedule says so, and not again before its next moment", async () => {
  catalogues = whole(12 * 60, 20);
  expect(await round()).toEqual(["the repositories were read whole"]);
  runs = [{ operation: "backup.check", state: "completed", createdAt: minutesAgo(60), finishedAt: minutesAgo(60) }];
  expect(await round()).toEqual([]);
  expect(await round("backup: {schedule_check: 'off'}")).toEqual([]);
  expect(started).toEqual([{ operation: "backup.check", input: {} }]);
});

test("a backup goes on while one is being proven", async () => {
  runs = [{ operation: "backup.verify", state: "running" }];
  expect(await round()).toHaveLength(1);
});

describe("proofs", () => {
  const prove = (yaml = "") => round(yaml, undefined, keepProofs);

  test("begin after the first backup, and not before", async () => {
    expect(await prove()).toEqual([]);
    catalogues = whole(20);
    expect(await prove()).toEqual(["a backup was restored for a proof"]);
    expect(started).toEqual([{ operation: "backup.verify", input: {} }]);
  });

  test("come again when the schedule says so: what the repository remembers counts, and what the journal does", async () => {
    const proven = (at: string) => {
      const backup = sampleBackup("full", minutesAgo(20), { wal: [2, 3], annotations: { "homelab-proven": at } });
      catalogues = [sampleCatalogue([backup], sampleSegments(1, 9, minutesAgo(1)), minutesAgo(0))];
    };
    // On Sundays, by default.
    proven(minutesAgo(3 * 24 * 60));
    expect(await prove()).toEqual([]);
    proven(minutesAgo(8 * 24 * 60));
    expect(await prove()).toHaveLength(1);
    runs = [{ operation: "backup.verify", state: "completed", createdAt: minutesAgo(60), finishedAt: minutesAgo(60) }];
    expect(await prove()).toEqual([]);
  });

  test("are not begun while a backup is made, nor where they are off, nor soon after one that failed", async () => {
    catalogues = whole(20);
    expect(await prove("backup: {schedule_proof: 'off'}")).toEqual([]);
    runs = [{ operation: "backup.create", state: "running" }];
    expect(await prove()).toEqual([]);
    runs = [{ operation: "backup.verify", state: "failed", createdAt: minutesAgo(30), finishedAt: minutesAgo(30) }];
    expect(await prove()).toEqual([]);
  });
});
