import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { paginate } from "./paging.ts";

interface Item {
  name: string;
  size: number | null;
}

const list: Item[] = [
  { name: "b", size: 3 },
  { name: "a", size: null },
  { name: "d", size: 3 },
  { name: "c", size: 1 },
];

/** Reads every page. */
function readAll(all: Item[], limit: number, sort?: string): Item[] {
  const items: Item[] = [];
  let cursor: string | undefined;
  do {
    const page = paginate(all, { limit, cursor, sort }, "name");
    items.push(...page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return items;
}

const names = (items: Item[]): string => items.map(({ name }) => name).join("");

describe("a list in pages", () => {
  test("keeps the list's own order where nothing is sorted by", () => {
    expect(names(readAll(list, 3))).toBe("badc");
  });

  test("sorts by a field, null first, equal ones by what identifies them, and the other way round with a hyphen", () => {
    expect(names(readAll(list, 2, "size"))).toBe("acbd");
    expect(names(readAll(list, 2, "-size"))).toBe("dbca");
  });

  test("holds every item exactly once, whatever the size of a page", () => {
    const items = fc.uniqueArray(fc.record({ name: fc.string(), size: fc.option(fc.integer({ min: 0, max: 5 })) }), {
      selector: ({ name }) => name,
    });
    fc.assert(
      fc.property(
        items,
        fc.integer({ min: 1, max: 7 }),
        fc.constantFrom(undefined, "size", "-size", "name"),
        (all, limit, sort) => {
          const read = readAll(all, limit, sort);
          expect(read.map(({ name }) => name).sort()).toEqual(all.map(({ name }) => name).sort());
        },
      ),
    );
  });

  test("goes on behind the last item though others came and went meanwhile", () => {
    const first = paginate(list, { limit: 2, sort: "name" }, "name");
    const changed = [...list.filter(({ name }) => name !== "b"), { name: "aa", size: 1 }];
    const second = paginate(changed, { limit: 9, cursor: first.next_cursor!, sort: "name" }, "name");
    expect(names(second.items)).toBe("cd");
  });

  test("tells how many there are in all, and refuses a cursor that it did not give", () => {
    expect(paginate(list, { limit: 1 }, "name").total).toBe(4);
    for (const cursor of ["", "x", "bnVsbA", Buffer.from("[{},1]").toString("base64url")])
      expect(() => paginate(list, { limit: 1, cursor }, "name")).toThrow(
        expect.objectContaining({ code: "input_invalid" }),
      );
  });
});
