import { expect, test } from "vitest";
import { parseArchive } from "./archive.ts";

const SUM = "0f".repeat(20);

test("a listing has the segments in the order of the log, and the histories", () => {
  const folder = "15-1/0000000100000000";
  const listing = {
    ".": { type: "path" },
    "15-1": { type: "path" },
    [folder]: { type: "path" },
    [`${folder}/000000010000000000000003-${SUM}.lz4`]: { type: "file", size: 300, time: 1_760_000_060 },
    [`${folder}/000000010000000000000002-${SUM}`]: { type: "file", size: 200, time: 1_760_000_000 },
    [`${folder}/000000010000000000000002.00000028.backup`]: { type: "file", size: 9, time: 1 },
    [`${folder}/000000010000000000000004.partial-${SUM}.lz4`]: { type: "file", size: 9, time: 1 },
    [`${folder}/000000010000000000000005-${SUM}.lz4.pgbackrest.tmp`]: { type: "file", size: 9, time: 1 },
    "15-1/00000002.history": { type: "file", size: 41, time: 1 },
    "archive.info": { type: "file", size: 900, time: 1 },
  };
  const archive = parseArchive(JSON.stringify(listing));
  expect([...archive.keys()]).toEqual(["15-1"]);
  expect(archive.get("15-1")).toEqual({
    segments: [
      { name: "000000010000000000000002", at: 1_760_000_000_000, bytes: 200 },
      { name: "000000010000000000000003", at: 1_760_000_060_000, bytes: 300 },
    ],
    histories: new Map([[2, "15-1/00000002.history"]]),
  });
});

test("an archive with nothing in it has no incarnation", () => {
  expect(parseArchive("{}").size).toBe(0);
});
