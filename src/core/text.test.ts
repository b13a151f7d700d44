import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { didYouMean, printable } from "./text.ts";

describe("printable", () => {
  test("leaves ordinary text of any script as it is", () => {
    for (const text of ["shop", "größe", "データ", "مرحبا", "a\\u000ab", "✓ 5 %"]) expect(printable(text)).toBe(text);
  });

  test.each([
    ["a newline", "a\nerror: b", "a\\u000aerror: b"],
    ["a carriage return", "a\rb", "a\\u000db"],
    ["a tab", "a\tb", "a\\u0009b"],
    ["a NUL", "a\0b", "a\\u0000b"],
    ["a lone escape", "a\u001b", "a\\u001b"],
    ["a C1 control", "a\u0085b", "a\\u0085b"],
    ["a right-to-left override", "txt\u202Eexe", "txt\\u202eexe"],
    ["a right-to-left mark", "a\u200fb", "a\\u200fb"],
    ["an Arabic letter mark", "a\u061cb", "a\\u061cb"],
    ["an isolate", "a\u2066b\u2069", "a\\u2066b\\u2069"],
    ["a line separator", "a\u2028b", "a\\u2028b"],
  ])("makes %s visible", (_name, text, expected) => expect(printable(text)).toBe(expected));

  test.each([
    ["a colour", "\u001b[31mred\u001b[0m", "red"],
    ["clearing the screen", "\u001b[2J\u001b[Hx", "x"],
    ["a link", "\u001b]8;;https://evil.example\u0007click\u001b]8;;\u0007", "click"],
  ])("takes out %s", (_name, text, expected) => expect(printable(text)).toBe(expected));

  test("answers one line without control or direction characters, whatever it is given", () => {
    const nasty = fc.string({
      unit: fc.constantFrom(
        "a",
        "\n",
        "\r",
        "\u001b",
        "[",
        "]",
        "3",
        "1",
        "m",
        ";",
        "\u009b",
        "\u202e",
        "\u2069",
        "\u061c",
      ),
    });
    fc.assert(
      fc.property(fc.oneof(nasty, fc.string({ unit: "binary" })), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
      }),
    );
  });
});

describe("didYouMean", () => {
  const words = ["network", "database", "postgres", "pgbouncer", "patroni"];

  test.each([
    ["netwrok", "network"],
    ["Postgres", "postgres"],
    ["pgbuoncer", "pgbouncer"],
    ["databse", "database"],
  ])("finds for %s the word %s", (typed, meant) => expect(didYouMean(typed, words)).toBe(meant));

  test("says nothing when nothing is near, or there is nothing to choose from", () => {
    expect(didYouMean("kubernetes", words)).toBeUndefined();
    expect(didYouMean("network", [])).toBeUndefined();
  });

  test("takes the nearest of several", () => {
    expect(didYouMean("shopp", ["shop2", "shops", "shopp_", "shop"])).toMatch(/^shop/);
    expect(didYouMean("orders", ["order", "orders_old", "borders"])).toMatch(/^(order|borders)$/);
  });
});

test("two letters the wrong way round are one slip", () => {
  expect(didYouMean("shpo", ["shop", "blog"])).toBe("shop");
  expect(didYouMean("hsop", ["shop", "blog"])).toBe("shop");
});
