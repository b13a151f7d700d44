import { expect, test } from "vitest";
import { maskTable, matchRules, unmasked, type Column } from "./masking.ts";

const column = (name: string, more: Partial<Column> = {}): Column => ({
  ...{ schema: "public", table: "person", column: name, type: "text", isText: true, isUuid: false },
  ...{ length: null, isNullable: true, isGenerated: false },
  ...more,
});

const columns = [
  column("id", { type: "integer", isText: false, isNullable: false }),
  column("email"),
  column("short_email", { length: 20 }),
  column("phone", { isNullable: false }),
  column("full", { isGenerated: true }),
  column("note", { schema: "crm", table: "contact" }),
];

test("a rule that cannot hold is told, one sentence each", () => {
  const rules = {
    nobody: { x: null },
    person: { no: null, id: "hash", phone: null, full: { text: "x" }, short_email: "email" },
  } as const;
  expect(matchRules(rules, columns).faults).toEqual([
    "there is no table nobody",
    "person has no column no",
    "person.id is integer: hash is for text and uuid",
    "person.phone must not be null",
    "person.full is generated, and follows what it is generated from",
    "person.short_email is too short for an address",
  ]);
});

test("a table is named with its schema, or without where that is public", () => {
  const { masks, faults } = matchRules({ "crm.contact": { note: null }, "public.person": { email: null } }, columns);
  expect([masks.length, faults]).toEqual([2, []]);
  expect(matchRules({ contact: { note: null } }, columns).faults).toEqual(["there is no table contact"]);
});

test("columns that look personal and have no rule are named", () => {
  const { masks } = matchRules({ person: { email: "email" } }, columns);
  expect(unmasked(columns, masks)).toEqual(["person.short_email", "person.phone"]);
  const odd = ["firstName", "user_name", "birthday", "ipAddress", "api_key", "tokens", "surname"].map((n) => column(n));
  expect(unmasked(odd, [])).toHaveLength(odd.length);
  expect(
    unmasked(
      ["filename", "nameless", "description", "shipped"].map((name) => column(name)),
      [],
    ),
  ).toEqual([]);
});

test("names are quoted, and a constant stays a constant", () => {
  const hostile = column(`x" = 1; DROP TABLE person; --`, { table: `per"son` });
  const { statement, usesKey } = maskTable([{ column: hostile, rule: { text: "it's" } }]);
  expect(statement).toBe(`UPDATE "public"."per""son" SET "x"" = 1; DROP TABLE person; --" = 'it''s'`);
  expect(usesKey).toBe(false);
});
