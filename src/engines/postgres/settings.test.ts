import { describe, expect, test } from "vitest";
import type { Session } from "./sessions.ts";
import { normaliseSetting, settingsWaitingForRestart } from "./settings.ts";

describe("normaliseSetting", () => {
  test.each<[string, [string, string | null, string], [string, string | null, string]]>([
    ["memory in pages", ["131072", "8kB", "integer"], ["1GB", "8kB", "integer"]],
    ["memory in another unit", ["1024MB", "kB", "integer"], ["1GB", "kB", "integer"]],
    ["time", ["900", "s", "integer"], ["15min", "s", "integer"]],
    ["time in fractions", ["1500", "ms", "integer"], ["1.5s", "ms", "integer"]],
    ["days", ["86400", "s", "integer"], ["1d", "s", "integer"]],
    ["minus one", ["-1", "ms", "integer"], ["-1", "ms", "integer"]],
    ["no unit", ["256", null, "integer"], ["256", null, "integer"]],
    ["a real", ["1.1", null, "real"], ["1.10", null, "real"]],
    ["a space before the unit", ["8 MB", "kB", "integer"], ["8192", "kB", "integer"]],
    ["yes", ["on", null, "bool"], ["true", null, "bool"]],
    ["yes, shortened", ["on", null, "bool"], ["y", null, "bool"]],
    ["no", ["off", null, "bool"], ["false", null, "bool"]],
    ["one of a list, in capitals", ["logical", null, "enum"], ["LOGICAL", null, "enum"]],
  ])("finds %s the same", (_name, a, b) => expect(normaliseSetting(...a)).toBe(normaliseSetting(...b)));

  test.each<[[string, string | null, string], [string, string | null, string]]>([
    [
      ["1GB", "8kB", "integer"],
      ["1MB", "8kB", "integer"],
    ],
    [
      ["1s", "ms", "integer"],
      ["1min", "ms", "integer"],
    ],
    [
      ["on", null, "bool"],
      ["off", null, "bool"],
    ],
    [
      ["a", null, "string"],
      ["A", null, "string"],
    ],
    [
      ["1", null, "string"],
      ["1.0", null, "string"],
    ],
  ])("finds %j and %j different", (a, b) => expect(normaliseSetting(...a)).not.toBe(normaliseSetting(...b)));
});

describe("settingsWaitingForRestart", () => {
  const session = (rows: { name: string; setting: string; unit: string | null; vartype: string }[]): Session => ({
    query: async <R>(_text: string, values?: unknown[]) =>
      rows.filter(({ name }) => (values![0] as string[]).includes(name)) as R[],
    transaction: async () => {},
  });

  test("names those that differ from what is wanted, and no others", async () => {
    const rows = [
      { name: "max_connections", setting: "100", unit: null, vartype: "integer" },
      { name: "shared_buffers", setting: "131072", unit: "8kB", vartype: "integer" },
      { name: "hot_standby", setting: "on", unit: null, vartype: "bool" },
      { name: "wal_level", setting: "replica", unit: null, vartype: "enum" },
    ];
    const wanted = { max_connections: 256, shared_buffers: "1GB", hot_standby: true, wal_level: "logical" };
    expect(await settingsWaitingForRestart(session(rows), wanted)).toEqual(["max_connections", "wal_level"]);
  });
});
