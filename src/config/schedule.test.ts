import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { hasPassed, lastMoment, nextMoment } from "./schedule.ts";

/** What an expression gives in a process of another time zone: a thread of this one keeps its own. */
function inBerlin(expression: string): unknown {
  const module = JSON.stringify(join(import.meta.dirname, "schedule.ts"));
  const script = `import { hasPassed, lastMoment, nextMoment } from ${module};
    const at = (text) => Date.parse(text);
    console.log(JSON.stringify(${expression}));`;
  const argv = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script];
  const env = { ...process.env, TZ: "Europe/Berlin" };
  const { stdout, stderr } = spawnSync(process.execPath, argv, { env, encoding: "utf8" });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

describe("a schedule in a zone with summer time", () => {
  test("is in local time", () => {
    const noon = `at("2026-11-20T12:00:00Z")`;
    expect(inBerlin(`[lastMoment("0 2 * * *", ${noon}), nextMoment("0 2 * * *", ${noon})]`)).toEqual([
      Date.parse("2026-11-20T01:00:00Z"),
      Date.parse("2026-11-21T01:00:00Z"),
    ]);
  });

  test("has its moment once when the clock is set back", () => {
    // 2026-10-25: 03:00 becomes 02:00, so that 02:30 comes twice.
    const day = `Array.from({ length: 144 }, (_, i) => at("2026-10-24T22:00:00Z") + i * 600_000)`;
    const moments = inBerlin(`[...new Set(${day}.map((now) => lastMoment("30 2 * * *", now)))]`) as number[];
    expect(moments.length, moments.map((ms) => new Date(ms).toISOString()).join(" ")).toBe(2);
  });

  test("does not lose its moment when the clock is set forward over it", () => {
    // 2026-03-29: 02:00 becomes 03:00, so that 02:30 does not come.
    const [since, now] = ["2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"];
    expect(inBerlin(`hasPassed("30 2 * * *", at("${since}"), at("${now}"))`)).toBe(true);
  });
});

test("its moment counts in the very second in which it comes, and not before", () => {
  const moment = new Date(2026, 10, 20, 14, 0, 0).getTime();
  expect(lastMoment("0 * * * *", moment)).toBe(moment);
  expect(lastMoment("0 * * * *", moment + 250)).toBe(moment);
  expect(lastMoment("0 * * * *", moment - 1000)).toBe(moment - 3_600_000);
  expect(nextMoment("0 * * * *", moment)).toBe(moment + 3_600_000);
});

test("what is off never comes", () => {
  expect(lastMoment("off", Date.now())).toBeUndefined();
  expect(nextMoment("off", Date.now())).toBeUndefined();
  expect(hasPassed("off", 0, Date.now())).toBe(false);
});
