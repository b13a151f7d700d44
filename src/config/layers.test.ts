import { describe, expect, test } from "vitest";
import { flatten, mergeLayers } from "./layers.ts";

describe("mergeLayers", () => {
  test("a value that replaces a map takes the origins of what was in it away", () => {
    const { values, origins } = mergeLayers([
      { origin: "a", values: { x: { y: 1, z: { w: 2 } }, xy: 3 } },
      { origin: "b", values: { x: 5 } },
    ]);
    expect(values).toEqual({ x: 5, xy: 3 });
    expect(origins).toEqual({ x: "b", xy: "a" });
  });

  test("a map that replaces a value starts anew", () => {
    const { values, origins } = mergeLayers([
      { origin: "a", values: { x: 5 } },
      { origin: "b", values: { x: { y: 1 } } },
    ]);
    expect(values).toEqual({ x: { y: 1 } });
    expect(origins["x.y"]).toBe("b");
  });

  test("changes none of the layers", () => {
    const below = { origin: "a", values: { x: { y: 1 } } };
    mergeLayers([below, { origin: "b", values: { x: { y: 2, z: null } } }]);
    expect(below.values).toEqual({ x: { y: 1 } });
  });
});

test("flatten lists every leaf with its path; an empty map and a list are leaves", () => {
  expect(flatten({ a: { b: 1, c: { d: [2] } }, e: {}, f: null })).toEqual([
    ["a.b", 1],
    ["a.c.d", [2]],
    ["e", {}],
    ["f", null],
  ]);
});
