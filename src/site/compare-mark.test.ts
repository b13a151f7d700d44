import { expect, test } from "vitest";
import { difference, judge } from "./compare-mark.ts";

const content = (rows: number, hash = String(rows * 7)) => ({ rows, hash });
const unreadable = { unread: "invalid page", isTooLarge: false };

test("what holds what the mark saw is equal, whatever the live cluster has become", () => {
  for (const live of [content(10), content(3), "gone" as const, unreadable])
    expect(judge(content(10), content(10), live)).toBe("equal");
});

test("rows that the live cluster has lost as well were changed meanwhile", () => {
  expect(judge(content(10), content(8), content(8))).toBe("changed");
  expect(judge(content(10), content(8), content(2))).toBe("changed");
  expect(judge(content(10), content(10, "other"), content(10, "third"))).not.toBe("equal");
});

test("a table that was dropped meanwhile explains itself", () => {
  expect(judge(content(10), undefined, "gone")).toBe("changed");
  expect(judge(content(10), content(4), "gone")).toBe("changed");
});

test("where the live cluster still has all that the mark saw, a copy that has not is wrong", () => {
  expect(judge(content(10), content(8), content(10))).toBe("differs");
  expect(judge(content(10), undefined, content(10))).toBe("differs");
  expect(judge(content(10), content(10, "other"), content(10))).toBe("differs");
});

test("a copy with fewer old rows than the live cluster, or more than the mark, is wrong also in a table that changes", () => {
  expect(judge(content(10), content(4), content(8))).toBe("differs");
  expect(judge(content(10), undefined, content(8))).toBe("differs");
  expect(judge(content(10), content(12), content(3))).toBe("differs");
});

test("where the live cluster cannot be read, a difference stays unexplained and is said to be", () => {
  expect(judge(content(10), content(8), unreadable)).toBe("unknown");
});

test("the difference is said in rows", () => {
  expect(difference(content(10), content(8))).toBe("has 8 rows of the mark's 10 rows");
  expect(difference(content(1), undefined)).toBe("is missing, with the mark's 1 row");
  expect(difference(content(10), content(10, "x"))).toBe("has the mark's 10 rows, but not their content");
});
