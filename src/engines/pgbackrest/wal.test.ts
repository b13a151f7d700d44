import { describe, expect, test } from "vitest";
import { along, indexOfLsn, legsTo, missingBetween, placeOf, segmentName } from "./wal.ts";

describe("a segment's name", () => {
  test.each([
    ["000000010000000000000001", { timeline: 1, index: 1 }],
    ["0000000100000000000000FF", { timeline: 1, index: 255 }],
    ["000000010000000100000000", { timeline: 1, index: 256 }],
    ["0000001A00000BCD000000EF", { timeline: 26, index: 0xbcd * 256 + 0xef }],
  ])("%s is a place, and back", (name, place) => {
    expect(placeOf(name)).toEqual(place);
    expect(segmentName(place)).toBe(name);
  });

  test("has the segment of a position", () => {
    expect(indexOfLsn("0/3000050")).toBe(3);
    expect(indexOfLsn("1/0")).toBe(256);
    expect(indexOfLsn("2/FF000028")).toBe(2 * 256 + 255);
  });
});

/** As PostgreSQL writes it: parent, position, reason. */
const HISTORY = "1\t0/5000000\tno recovery target specified\n\n2\t0/8000A28\tbefore 2026-11-20 10:00:00+00\n";

describe("the way to a timeline", () => {
  test("without a history is the timeline itself", () => {
    expect(legsTo(1, undefined)).toEqual([{ timeline: 1, from: 0, to: Infinity }]);
  });

  test("goes by its ancestors, each as far as it was left", () => {
    expect(legsTo(3, HISTORY)).toMatchObject([
      { timeline: 1, from: 0, to: 5 },
      { timeline: 2, from: 5, to: 8 },
      { timeline: 3, from: 8, to: Infinity },
    ]);
  });

  test("leaves out what a timeline wrote after it was left", () => {
    const names = [1, 4, 5, 6].map((index) => segmentName({ timeline: 1, index }));
    const more = [5, 7, 8].map((index) => segmentName({ timeline: 2, index }));
    const segments = [...names, ...more].map((name) => ({ name, at: 0, bytes: 1 }));
    expect(
      [...along(legsTo(3, HISTORY), segments)].map(([index, { name }]) => [index, placeOf(name).timeline]),
    ).toEqual([
      [1, 1],
      [4, 1],
      [5, 2],
      [7, 2],
      // Its own copy of the segment in which it begins has not come yet.
      [8, 2],
    ]);
  });
});

test("what is missing is named run by run, each segment after the timeline that it belongs to", () => {
  const legs = legsTo(2, "1\t0/5000000\tx\n");
  const present = along(
    legs,
    [segmentName({ timeline: 1, index: 2 }), segmentName({ timeline: 2, index: 7 })].map((name) => ({
      name,
      at: 0,
      bytes: 1,
    })),
  );
  expect(missingBetween(legs, present, 2, 9)).toEqual([
    { first: "000000010000000000000003", last: "000000020000000000000006", count: 4, from: 3, to: 6 },
    { first: "000000020000000000000008", last: "000000020000000000000009", count: 2, from: 8, to: 9 },
  ]);
  expect(missingBetween(legs, present, 7, 7)).toEqual([]);
});
