import { expect, test } from "vitest";
import type { StoredDump } from "../../site/dump-store.ts";
import { dueDumps, dumpsToRemove } from "./dump-retention.ts";
import { nextDump } from "./keep-dumps.ts";

const dump = (id: string): StoredDump => ({ id }) as StoredDump;

test("the newest dumps stay, and the last one whatever the number says", () => {
  const dumps = ["dump_3", "dump_1", "dump_2"].map(dump);
  expect(dumpsToRemove(dumps, 2).map(({ id }) => id)).toEqual(["dump_1"]);
  expect(dumpsToRemove(dumps, 0).map(({ id }) => id)).toEqual(["dump_2", "dump_1"]);
  expect(dumpsToRemove(dumps.slice(0, 1), 0)).toEqual([]);
});

test("a dump is due since the schedule's last moment, and a missed one is caught up once", () => {
  const now = new Date(2026, 10, 20, 12, 0).getTime();
  const at = (database: string, hour: number) => ({ database, made_at: new Date(2026, 10, 20, hour, 0).toISOString() });
  const due = (schedule: string, dumps: ReturnType<typeof at>[]) =>
    dueDumps({ schedule, databases: ["shop", "blog"], dumps, now });
  expect(due("0 3 * * *", [at("shop", 4), at("blog", 2)])).toEqual(["blog"]);
  expect(due("0 3 * * *", [at("shop", 2), at("shop", 5), at("blog", 4)])).toEqual([]);
  expect(due("0 3 * * *", [])).toEqual(["shop", "blog"]);
  expect(due("off", [])).toEqual([]);
});

test("one that failed lately does not keep the others from theirs, and is tried again later", () => {
  const now = Date.parse("2026-11-20T12:00:00Z");
  const run = (name: string, state: "failed" | "completed", createdAt: string) => ({
    state,
    input: { name },
    createdAt,
  });
  const failed = run("shop", "failed", "2026-11-20T11:30:00Z");
  expect(nextDump(["shop", "blog"], [failed], now)).toBe("blog");
  expect(nextDump(["shop"], [failed], now)).toBeUndefined();
  expect(nextDump(["shop"], [failed], now + 3_600_000)).toBe("shop");
  expect(nextDump(["shop"], [run("shop", "completed", "2026-11-20T11:30:00Z")], now)).toBe("shop");
});
