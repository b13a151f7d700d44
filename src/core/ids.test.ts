import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newRunId } from "./ids.ts";

describe("newRunId", () => {
  test("is op_ and 26 digits of Crockford's base 32", () => {
    expect(newRunId(Date.UTC(2026, 0, 1))).toMatch(/^op_[0-9A-HJKMNP-TV-Z]{26}$/);
  });

  test("sorts as text by the time it was made", () => {
    const time = fc.integer({ min: 0, max: 2 ** 48 - 1 });
    fc.assert(
      fc.property(time, time, (a, b) => {
        fc.pre(a !== b);
        expect(newRunId(a) < newRunId(b)).toBe(a < b);
      }),
    );
  });

  test("starts with the ULID of its time", () => {
    // 01ARYZ6S41 is the time of the ULID specification's own example, 1469918176385.
    expect(newRunId(1469918176385).slice(3, 13)).toBe("01ARYZ6S41");
  });

  test("differs within one millisecond", () => {
    expect(new Set(Array.from({ length: 1000 }, () => newRunId(1))).size).toBe(1000);
  });
});
