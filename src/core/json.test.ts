import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stableStringify, type Json } from "./json.ts";

/** The same value with the keys of every map the other way round. */
const reversed = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, item]) => [key, reversed(item)]),
  );
};

describe("stableStringify", () => {
  test("gives the same text whatever the order of the keys", () => {
    expect(stableStringify({ b: 1, a: { d: [2, { f: 3, e: 4 }], c: null } })).toBe(
      '{"a":{"c":null,"d":[2,{"e":4,"f":3}]},"b":1}',
    );
  });

  test("keeps the order of lists", () => {
    expect(stableStringify([3, 1, 2])).toBe("[3,1,2]");
  });

  test("gives equal values equal text, and reads back as the same value", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = stableStringify(value as Json);
        expect(stableStringify(reversed(value as Json))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
