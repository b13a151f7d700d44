import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isRunId, newRunId, runIdToUuid, uuidToRunId, uuidv7, type RunId } from "./ids.ts";

const time = fc.integer({ min: 0, max: 2 ** 48 - 1 });

describe("newRunId", () => {
  test("is op_ and 26 digits of Crockford's base 32", () => {
    expect(newRunId(Date.UTC(2026, 0, 1))).toMatch(/^op_[0-9A-HJKMNP-TV-Z]{26}$/);
  });

  test("sorts as text by the time it was made", () => {
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

  test("has the bits of a UUID of version 7", () => {
    fc.assert(
      fc.property(time, (at) => {
        expect(runIdToUuid(newRunId(at))).toMatch(VERSION_7);
      }),
    );
  });
});

const VERSION_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("uuidv7", () => {
  test("starts with its time, and has version and variant", () => {
    // The time of RFC 9562's own example (A.6): 2022-02-22 19:22:22 UTC.
    expect(uuidv7(0x017f22e279b0)).toMatch(/^017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test("differs within one millisecond", () => {
    expect(new Set(Array.from({ length: 1000 }, () => uuidv7(1))).size).toBe(1000);
  });
});

describe("the id of a run and its UUID", () => {
  const bits = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
  const asUuid = (value: bigint): string =>
    value
      .toString(16)
      .padStart(32, "0")
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

  test("are each other's, whatever the bits: ids of older versions too", () => {
    fc.assert(
      fc.property(bits, (value) => {
        const id = uuidToRunId(asUuid(value));
        expect(isRunId(id)).toBe(true);
        expect(runIdToUuid(id)).toBe(asUuid(value));
      }),
    );
  });

  test("sort alike", () => {
    fc.assert(
      fc.property(bits, bits, (a, b) => {
        const [one, other] = [asUuid(a), asUuid(b)];
        expect(uuidToRunId(one) < uuidToRunId(other)).toBe(one < other);
      }),
    );
  });

  test("are known from other texts", () => {
    const id: RunId = "op_01ARYZ6S41TSV4RRFFQ69G5FAV";
    expect(uuidToRunId(runIdToUuid(id))).toBe(id);
    for (const text of ["", "op_", id.slice(3), id.toLowerCase(), `${id}0`, `op_8${id.slice(4)}`, `op_I${id.slice(4)}`])
      expect(isRunId(text)).toBe(false);
  });
});
