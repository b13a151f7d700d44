import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { homePaths, type HomePaths } from "../cluster/home.ts";
import { currentLog, lastLogLine, logTail, readableLine } from "./logs.ts";

let paths: HomePaths;
beforeEach(async () => {
  paths = homePaths(await mkdtemp(join(tmpdir(), "hl-logs-")));
  await mkdir(paths.logs);
});
afterEach(() => rm(paths.root, { recursive: true }));

test("PostgreSQL's current log is the one that was written last", async () => {
  for (const [name, age] of [
    ["postgres-Mon.json", 50],
    ["postgres-Tue.json", 10],
    ["postgres-Sun.json", 90],
  ] as const) {
    await writeFile(join(paths.logs, name), name);
    await utimes(join(paths.logs, name), Date.now() / 1000 - age, Date.now() / 1000 - age);
  }
  expect(await currentLog(paths, "postgres")).toBe(join(paths.logs, "postgres-Tue.json"));
  expect(await currentLog(paths, "etcd")).toBe(join(paths.logs, "etcd.log"));
});

test("the tail of a log is its last bytes, and nothing where there is none", async () => {
  await writeFile(join(paths.logs, "etcd.log"), `${"x".repeat(9000)}end`);
  expect(await logTail(join(paths.logs, "etcd.log"), 5)).toBe("xxend");
  expect(await logTail(join(paths.logs, "etcd.log"))).toHaveLength(8192);
  expect(await logTail(join(paths.logs, "none.log"))).toBe("");
});

test("the last line is the first clue, made safe to print", async () => {
  await writeFile(join(paths.logs, "etcd.log"), "first\nno \u001b[31mspace\u202e left\n\n  \n");
  expect(await lastLogLine(paths, "etcd")).toBe("Its log ends with: no space\\u202e left");
  expect(await lastLogLine(paths, "haproxy")).toBeUndefined();
});

test("PostgreSQL's JSON is read as one sentence, and everything else as it is", () => {
  const entry = {
    timestamp: "2026-11-20 10:21:52.213 UTC",
    pid: 7,
    user: "x\ny",
    dbname: "a",
    error_severity: "FATAL",
    message: "no",
    detail: "why",
  };
  expect(readableLine(JSON.stringify(entry))).toBe("2026-11-20 10:21:52.213 UTC [7] x\ny@a FATAL: no (why)");
  expect(readableLine('{"level":"warn","ts":"now"}')).toBe('{"level":"warn","ts":"now"}');
  expect(readableLine('{"timestamp":"half')).toBe('{"timestamp":"half');
});

test("pgBackRest's log is that of its last command, and archiving has one of its own", async () => {
  for (const [name, age] of [
    ["attic-backup.log", 50],
    ["attic-expire.log", 40],
    ["attic-verify.log", 90],
    ["attic-archive-push-async.log", 10],
  ] as const) {
    await writeFile(join(paths.logs, name), name);
    await utimes(join(paths.logs, name), Date.now() / 1000 - age, Date.now() / 1000 - age);
  }
  expect(await currentLog(paths, "pgbackrest")).toBe(join(paths.logs, "attic-backup.log"));
  expect(await currentLog(paths, "archiving")).toBe(join(paths.logs, "attic-archive-push-async.log"));
});
