import fc from "fast-check";
import { expect, test } from "vitest";
import { anchorComment, readAnchor, type Anchor } from "./anchor.ts";

const anchor: Anchor = {
  database: "shop",
  owner: "shop_owner",
  protected: false,
  createdAt: "2026-01-02T03:04:05.678Z",
};

test("an anchor reads back as it was written", () => {
  const text = fc.string();
  const any = fc.record(
    {
      database: text,
      owner: text,
      protected: fc.boolean(),
      createdAt: text,
      rotation: fc.record({ old: text, until: text }),
      deleted: fc.record({ name: text, at: text, until: text, dump: text, connectionLimit: fc.integer() }),
    },
    { requiredKeys: ["database", "owner", "protected", "createdAt"] },
  );
  fc.assert(
    fc.property(any, (value) => {
      expect(readAnchor(anchorComment(value))).toEqual({ ...value });
    }),
  );
});

test.each([
  null,
  "",
  "the app's role",
  "homelab",
  "homelab {",
  `x${anchorComment(anchor)}`,
  "homelab [1]",
  "homelab null",
])("the comment %j is not one of ours", (comment) => expect(readAnchor(comment)).toBeUndefined());

test("a comment of ours can be found by its beginning, as the catalog is asked", () => {
  expect(anchorComment(anchor)).toMatch(/^homelab \{/);
});
