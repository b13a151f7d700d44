import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatBytes, formatSeconds, parseDuration } from "./units.ts";

describe("formatBytes", () => {
  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [940_000, "940 kB"],
    [999_999, "1.0 MB"],
    [7_300_000, "7.3 MB"],
    [9_960_000, "10 MB"],
    [1_200_000_000, "1.2 GB"],
    [3e15, "3.0 PB"],
    [5e18, "5000 PB"],
  ])("writes %d as %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  test("never writes a thousand of a unit that has a larger one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9e14 }), (n) => {
        expect(formatBytes(n)).toMatch(/^\d{1,3}(\.\d)? /);
      }),
    );
  });
});

describe("formatSeconds", () => {
  test.each([
    [0, "0.0 s"],
    [4.21, "4.2 s"],
    [9.96, "10 s"],
    [42.4, "42 s"],
    [59.6, "1 min"],
    [60, "1 min"],
    [185, "3 min 5 s"],
    [3600, "1 h"],
    [3605, "1 h 5 s"],
    [86_400 * 2 + 4 * 3600 + 59, "2 d 4 h"],
  ])("writes %d as %s", (seconds, text) => expect(formatSeconds(seconds)).toBe(text));
});

describe("parseDuration", () => {
  test.each([
    ["500ms", 0.5],
    ["30s", 30],
    [" 5min ", 300],
    ["5 m", 300],
    ["1.5h", 5400],
    ["7d", 604_800],
    ["0s", 0],
  ])("reads %j", (text, seconds) => expect(parseDuration(text)).toBe(seconds));

  test.each(["", "5", "s", "-5s", "5 weeks", "1h30min", "1e3s", "५s"])("answers undefined for %j", (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );

  test("takes 100,000 characters without a pause", () => {
    const begun = performance.now();
    for (const text of ["1".repeat(100_000), `1${" ".repeat(100_000)}`, "1.".repeat(50_000)]) parseDuration(text);
    expect(performance.now() - begun).toBeLessThan(500);
  });
});
