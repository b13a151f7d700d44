import { describe, expect, test } from "vitest";
import { table, type Output } from "./output.ts";

function collector(isTerminal: boolean): Output & { text(): string } {
  let text = "";
  return { isTerminal, line: (line) => void (text += `${line}\n`), json: () => {}, note: () => {}, text: () => text };
}

const HEADINGS = ["NAME", "SIZE"];

describe("a table", () => {
  test("is aligned under its headings on a terminal", () => {
    const out = collector(true);
    table(out, HEADINGS, [
      ["shop", "7.3 MB"],
      ["a_long_name", "-"],
    ]);
    expect(out.text()).toBe("NAME         SIZE\nshop         7.3 MB\na_long_name  -\n");
  });

  test("does not count a colour as width", () => {
    const out = collector(true);
    table(out, HEADINGS, [
      ["\u001b[32mok\u001b[39m", "1"],
      ["long", "2"],
    ]);
    expect(out.text()).toBe("NAME  SIZE\n\u001b[32mok\u001b[39m    1\nlong  2\n");
  });

  test("is separated by tabs and has no headings in a pipe", () => {
    const out = collector(false);
    table(out, HEADINGS, [
      ["shop", "7.3 MB"],
      ["blog", "-"],
    ]);
    expect(out.text()).toBe("shop\t7.3 MB\nblog\t-\n");
  });

  test("of nothing is its headings for a person, and nothing in a pipe", () => {
    const [person, pipe] = [collector(true), collector(false)];
    table(person, HEADINGS, []);
    table(pipe, HEADINGS, []);
    expect([person.text(), pipe.text()]).toEqual(["NAME  SIZE\n", ""]);
  });

  test.each([true, false])("lets no cell steer a terminal or make a line of its own (terminal: %s)", (isTerminal) => {
    const out = collector(isTerminal);
    table(out, HEADINGS, [["a\nb\tc\u001b[2Jd\u0007\u202ee\u001b]0;title\u0007", "1"]]);
    expect(out.text().split("\n")).toHaveLength(isTerminal ? 3 : 2);
    expect(out.text().replaceAll(/[\n\t]/g, "")).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
    expect(out.text()).toContain("a\\u000ab\\u0009c");
  });
});
