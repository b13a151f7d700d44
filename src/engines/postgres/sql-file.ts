import { randomBytes } from "node:crypto";

/** What a file of SQL says of itself. */
export interface SqlFile {
  /** It begins as pg_dump begins a plain dump. */
  madeByPgDump: boolean;
  /** A plain dump of pg_dump ends with a line that says so. Of any other file nobody can tell. */
  isWhole: boolean;
  /** The word by which pg_dump switches psql's commands off and on again, from 15.14 on. */
  token: string | undefined;
}

/** Bytes at either end that are looked at. */
const ENDS = 8192;

const BEGIN = /^(?:\uFEFF)?(?:\s*--[^\n]*\n|\s*\n)*?-- PostgreSQL database dump\n/;
const COMPLETE = /\n-- PostgreSQL database dump complete\n/;
const RESTRICT = /^\\restrict ([A-Za-z0-9]+)\r?$/m;

/** Reads a file of SQL from end to end, and answers what its ends say. */
export async function inspectSql(source: AsyncIterable<Uint8Array>): Promise<SqlFile & { head: Buffer }> {
  let head = Buffer.alloc(0);
  let tail = Buffer.alloc(0);
  for await (const chunk of source) {
    if (head.length < ENDS) head = Buffer.concat([head, chunk]).subarray(0, ENDS);
    tail = Buffer.concat([tail.subarray(-ENDS), chunk.subarray(-ENDS)]).subarray(-ENDS);
  }
  const madeByPgDump = BEGIN.test(head.toString("latin1"));
  return {
    head,
    madeByPgDump,
    isWhole: !madeByPgDump || COMPLETE.test(tail.toString("latin1")),
    token: madeByPgDump ? RESTRICT.exec(head.toString("latin1"))?.[1] : undefined,
  };
}

/**
 * The same SQL for a psql that obeys no command in it: `\!` would start a program, and `\copy` read a file. It is told
 * so by a word that the file cannot know. pg_dump's own such lines, at both ends, are left out: in there they are not
 * allowed.
 */
export async function* restricted(
  source: AsyncIterable<Uint8Array>,
  { token }: Pick<SqlFile, "token">,
): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`\\restrict ${randomBytes(24).toString("hex")}\n`);
  if (token === undefined) return yield* source;
  let isBegun = false;
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    held = Buffer.concat([held, chunk]);
    if (held.length < 3 * ENDS) continue;
    if (!isBegun) held = without(held, `\\restrict ${token}`);
    isBegun = true;
    yield held.subarray(0, -ENDS);
    held = held.subarray(-ENDS);
  }
  if (!isBegun) held = without(held, `\\restrict ${token}`);
  yield without(held, `\\unrestrict ${token}`);
}

/** Takes one line out, the last of its kind. */
function without(text: Buffer, line: string): Buffer {
  const at = text.lastIndexOf(`\n${line}`);
  if (at < 0) return text;
  const end = text.indexOf("\n", at + 1);
  return end < 0 ? text.subarray(0, at + 1) : Buffer.concat([text.subarray(0, at), text.subarray(end)]);
}
