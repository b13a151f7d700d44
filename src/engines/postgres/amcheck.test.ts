import { expect, test } from "vitest";
import { parseAmcheckProgress, parseFindings } from "./amcheck.ts";

// As pg_amcheck 15.18 prints them.
const FOUND = `heap table "shop.public.item", block 3, offset 12:
    line pointer to page offset 8160 with length 4096 ends beyond maximum page offset 8192
heap table "shop.public.order":
    ERROR:  invalid page in block 0 of relation base/16401/16410
btree index "shop.public.item_pkey":
    ERROR:  heap tuple (0,1) from table "item" lacks matching index tuple within index "item_pkey"
    HINT:  Retrying verification using the function bt_index_parent_check() might provide a more specific error.
`;

test("each finding names the database, the table or index, and the page where it is known", () => {
  expect(parseFindings(FOUND)).toEqual([
    "shop.public.item, page 3: line pointer to page offset 8160 with length 4096 ends beyond maximum page offset 8192",
    "shop.public.order: invalid page in block 0 of relation base/16401/16410",
    'shop.public.item_pkey: heap tuple (0,1) from table "item" lacks matching index tuple within index "item_pkey"',
  ]);
});

test("nothing that was found is nothing", () => {
  expect(parseFindings("")).toEqual([]);
});

test("how far it is can be read from its lines", () => {
  expect(parseAmcheckProgress("  34/120 relations ( 28%),   40/1000 pages (  4%)")).toEqual({
    relations: 34,
    pages: 40,
    totalPages: 1000,
  });
  expect(parseAmcheckProgress("pg_amcheck: error")).toBeUndefined();
});
