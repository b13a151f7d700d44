import { buffer } from "node:stream/consumers";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { inspectSql, restricted } from "./sql-file.ts";

const pieces = (text: string, size = text.length): AsyncIterable<Uint8Array> =>
  Readable.from(
    Array.from({ length: Math.ceil(text.length / size) }, (_, i) => Buffer.from(text.slice(i * size, (i + 1) * size))),
  );

const HEAD = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc123\n\n-- Dumped from database version 15.18\n";
const TAIL = "\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc123\n\n";
const BODY = "CREATE TABLE x (t text);\nCOPY x FROM stdin;\n\\\\restrict abc123\n\\.\n";

const sent = async (text: string, size?: number): Promise<string> => {
  const file = await inspectSql(pieces(text));
  return (await buffer(Readable.from(restricted(pieces(text, size), file)))).toString();
};

test("a dump of pg_dump is known by its head, and whole by its last line", async () => {
  expect(await inspectSql(pieces(HEAD + BODY + TAIL))).toMatchObject({
    madeByPgDump: true,
    isWhole: true,
    token: "abc123",
  });
  expect(await inspectSql(pieces(HEAD + BODY))).toMatchObject({ madeByPgDump: true, isWhole: false });
  expect(await inspectSql(pieces("CREATE TABLE x ();\n"))).toMatchObject({ madeByPgDump: false, isWhole: true });
});

test("psql is told first to obey nothing in it, by a word that the file cannot know", async () => {
  const [one, two] = [await sent("SELECT 1;\n"), await sent("SELECT 1;\n")];
  expect(one).toMatch(/^\\restrict [0-9a-f]{48}\nSELECT 1;\n$/);
  expect(one.split("\n")[0]).not.toBe(two.split("\n")[0]);
});

test("pg_dump's own two lines are left out, and nothing else, in pieces of any size", async () => {
  const long = BODY + "-- a line that fills\n".repeat(3000);
  for (const body of [BODY, long])
    for (const size of [undefined, 100, 9000]) {
      const text = await sent(HEAD + body + TAIL, size);
      const [first, ...rest] = text.split("\n");
      expect(first).toMatch(/^\\restrict [0-9a-f]{48}$/);
      expect(rest.join("\n")).toBe(
        (HEAD + body + TAIL).replace("\n\\restrict abc123\n", "\n").replace("\n\\unrestrict abc123\n", "\n"),
      );
    }
});
