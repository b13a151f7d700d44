import { describe, expect, test } from "vitest";
import { stalePages } from "../../scripts/make-docs.ts";

describe("the reference", () => {
  test("holds what the program says today (sh scripts/with-node.sh scripts/make-docs.ts writes it again)", async () => {
    expect(await stalePages()).toEqual([]);
  });
});
