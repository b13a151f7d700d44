import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { interpolate, interpolateAll, type Lookup } from "./interpolate.ts";

const lookup: Lookup = {
  env: { SET: "value", EMPTY: "", PORT: "1000", YES: "true", DOLLAR: "${SET}" },
  readFile(path) {
    if (path === "/run/secrets/key") return "from the file\n";
    throw new Error("ENOENT");
  },
};

describe("interpolate", () => {
  test.each([
    ["nothing to do", "nothing to do"],
    ["${SET}", "value"],
    ["$SET", "value"],
    ["a-${SET}-b", "a-value-b"],
    ["${SET}${SET}", "valuevalue"],
    ["${EMPTY}", ""],
    ["${SET:-other}", "value"],
    ["${EMPTY:-other}", "other"],
    ["${MISSING:-other}", "other"],
    ["${MISSING:-}", ""],
    ["${SET-other}", "value"],
    ["${EMPTY-other}", ""],
    ["${MISSING-other}", "other"],
    ["${MISSING:-a:b-c?d}", "a:b-c?d"],
    ["${MISSING:-${SET}}", "value"],
    ["${MISSING:-${GONE:-deep}}!", "deep!"],
    ["${SET:?must be set}", "value"],
    ["${EMPTY?must be set}", ""],
    ["${SET:+other}", "other"],
    ["${EMPTY:+other}", ""],
    ["${EMPTY+other}", "other"],
    ["${MISSING+other}", ""],
    ["${file:/run/secrets/key}", "from the file"],
    ["$$", "$"],
    ["$${SET}", "${SET}"],
    ["$$SET", "$SET"],
    ["100$ and $1", "100$ and $1"],
  ])("reads %s as %j", (text, expected) => expect(interpolate(text, lookup)).toBe(expected));

  test.each([
    ["${MISSING}", "the variable MISSING is not set"],
    ["$MISSING", "the variable MISSING is not set"],
    ["${MISSING:?give me a name}", "give me a name"],
    ["${EMPTY:?give me a name}", "give me a name"],
    ["${MISSING?}", "the variable MISSING is not set"],
    ["${file:/nowhere}", "the file /nowhere cannot be read"],
    ["${SET", "${SET is not closed"],
    ["${}", "${} is not understood"],
    ["${SET/a/b}", "${SET/a/b} is not understood"],
  ])("refuses %s: %s", (text, message) =>
    expect(() => interpolate(text, lookup)).toThrow(
      expect.objectContaining({ code: "configuration_invalid", message }) as Error,
    ),
  );

  test("tells how to give a missing variable a default", () => {
    expect(() => interpolate("${MISSING}", lookup)).toThrow(
      expect.objectContaining({ hint: "Set MISSING, or give it a default: ${MISSING:-value}" }) as Error,
    );
  });

  test("does not read a value's own dollars again", () => {
    expect(interpolate("${DOLLAR}", lookup)).toBe("${SET}");
  });

  test("any text comes through once its dollars are written twice", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(interpolate(text.replaceAll("$", "$$$$"), lookup)).toBe(text);
      }),
    );
  });

  test("takes 100,000 characters without a pause", () => {
    const begun = performance.now();
    for (const text of ["${SET}".repeat(10_000), "${".repeat(20_000), "$".repeat(100_000), `\${${"A".repeat(99_000)}`])
      try {
        interpolate(text, lookup);
      } catch {
        // Refused is fine, slow is not.
      }
    expect(performance.now() - begun).toBeLessThan(2000);
  });
});

describe("interpolateAll", () => {
  test("goes through maps and lists, and leaves keys and other values alone", () => {
    const document = { "${SET}": "${SET}", list: ["$SET", 1, null, true], map: { inner: "a" } };
    expect(interpolateAll(document, lookup)).toEqual({
      "${SET}": "value",
      list: ["value", 1, null, true],
      map: { inner: "a" },
    });
  });

  test("gives a number or a yes where YAML would have read one", () => {
    const document = {
      port: "${PORT}",
      big: "${PORT}${PORT}",
      use: "${YES}",
      text: "${SET}",
      plain: "1000",
      zip: "0${PORT}",
    };
    expect(interpolateAll(document, lookup)).toEqual({
      port: 1000,
      big: 10001000,
      use: true,
      text: "value",
      plain: "1000",
      zip: "01000",
    });
  });
});
