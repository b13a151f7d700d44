import { describe, expect, test } from "vitest";
import type { Head } from "./rows.ts";
import { isOlder } from "./snapshot.ts";

const head = (databaseId: string, revision: number, minute = 0): Head => ({
  databaseId,
  revision,
  changedAt: `2026-11-20T12:${String(minute).padStart(2, "0")}:00.000Z`,
});

describe("a database", () => {
  test.each<[string, Head, Head | null, boolean]>([
    ["is not older than nothing", head("a", 0), null, false],
    ["is not older than itself", head("a", 5), head("a", 5), false],
    ["is newer when others changed it", head("a", 6), head("a", 5), false],
    ["is older when it was restored to an earlier moment", head("a", 4), head("a", 5), true],
    ["is older when it was made anew and nobody has changed anything", head("b", 0, 59), head("a", 5), true],
    ["is newer when it was made anew and changed later", head("b", 1, 30), head("a", 5, 10), false],
    ["is older when it is another one, changed earlier", head("b", 9, 5), head("a", 5, 10), true],
    ["counts when nothing was ever changed here", head("b", 0), head("a", 0), false],
  ])("%s", (_what, stored, seen, expected) => {
    expect(isOlder(stored, seen)).toBe(expected);
  });
});
