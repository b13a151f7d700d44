import { DatabaseError, escapeIdentifier as id } from "pg";
import type { Session } from "./sessions.ts";

/** Where the cluster keeps what the platform notes in it, in the database postgres. It changes with each mark. */
export const RECORDS_SCHEMA = "homelab";

/** A table whose rows can be measured: permanent, and kept in a heap. */
export interface StoredTable {
  oid: number;
  schema: string;
  name: string;
  /** Blocks of its own file, without TOAST. */
  blocks: number;
  /** With TOAST, without indexes. */
  bytes: number;
}

/** Blocks of a table, from the first up to, and without, the second. */
export type Part = [from: number, to: number];

/** Behind every block that a table can have (PostgreSQL manual, appendix K: 4,294,967,295 pages). */
const LAST_BLOCK = 4_294_967_295;

/** Bytes that one statement reads, TOAST included. Behind each it can be stopped, and tells how far it is. */
export const BYTES_AT_ONCE = 128 * 1024 ** 2;

/** What rows hold: how many there are, and the sum of a 64-bit hash of each, as a decimal number. */
export interface Content {
  rows: number;
  hash: string;
}

/** What was measured of a table. */
export interface Measured {
  /** Rows that can be seen, old and new. */
  rows: number;
  /** Those alone that were written before the horizon. */
  old: Content;
}

/** Why a table could not be read, in PostgreSQL's words. */
export interface Unread {
  unread: string;
  /** What is wrong may be the size of one row, and not the table: nobody can write such a row as text. */
  isTooLarge: boolean;
}

/*
 * Row for row, independent of their order, and in the one pass that reads everything:
 * - `(r.*)::text` is the only form that each type has; a hash of the values themselves is missing for json, xml, point
 *   and others. It also fetches what is kept out of line.
 * - hashtextextended is in every PostgreSQL that we support, 64 bits wide, and several times cheaper than md5.
 * - They are added up, in numeric, so nothing is lost: the same row twice counts twice, where XOR would cancel it.
 * - OFFSET 0 keeps the planner from working the hash out once for the count and once for the sum.
 * Rows are old that were written by transactions with an id below the horizon. xmin has 32 bits: its 64 bits are those
 * nearest below the next id. Ids 1 and 2 stand for rows as old as the cluster (PostgreSQL manual, 25.1.5).
 */
const MEASURE = (table: Pick<StoredTable, "schema" | "name">) => `
  SELECT count(hash)::float8 AS rows, count(*) FILTER (WHERE old)::float8 AS old_rows,
         coalesce(sum(hash) FILTER (WHERE old), 0)::text AS old_hash
  FROM (
    SELECT pg_catalog.hashtextextended((r.*)::text, 0) AS hash,
           r.xmin::text::bigint < 3
             OR $1::bigint - (($1::bigint - r.xmin::text::bigint) & 4294967295) < $2::bigint AS old
    FROM ONLY ${id(table.schema)}.${id(table.name)} AS r
    WHERE r.ctid >= $3::tid AND r.ctid < $4::tid
    OFFSET 0) AS each`;

const TABLES = `
  SELECT c.oid, n.nspname AS schema, c.relname AS name,
         coalesce(pg_catalog.pg_table_size(c.oid), 0)::float8 AS bytes,
         (coalesce(pg_catalog.pg_relation_size(c.oid), 0) / current_setting('block_size')::bigint)::float8 AS blocks
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_am a ON a.oid = c.relam
  WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND c.relispopulated AND a.amname = 'heap'
    AND ((n.nspname !~ '^pg_' AND n.nspname <> 'information_schema') OR c.oid = 'pg_catalog.pg_largeobject'::regclass)
    AND NOT (n.nspname = '${RECORDS_SCHEMA}' AND current_database() = 'postgres')
  ORDER BY bytes, oid`;

/** A row's text depends on these: pinned, so that the same row is the same text everywhere. */
const FORM: Record<string, string> = {
  DateStyle: "ISO, YMD",
  IntervalStyle: "postgres",
  TimeZone: "UTC",
  bytea_output: "hex",
  extra_float_digits: "1",
  lc_monetary: "C",
  xmlbinary: "base64",
  // It reads beside others, who are to notice little of it.
  max_parallel_workers_per_gather: "0",
  jit: "off",
  // Whoever changes a table must not wait behind us for it, with all its readers behind him.
  lock_timeout: "2s",
};

/** What a database holds, as one snapshot of it shows it. */
export class ContentSnapshot {
  readonly #session: Session;
  /** The next transaction's id, of 64 bits. */
  readonly #next: string;
  /** All transactions below this id had ended when the snapshot was taken. */
  readonly horizon: string;

  constructor(session: Session, next: string, horizon: string) {
    this.#session = session;
    this.#next = next;
    this.horizon = horizon;
  }

  /** The tables with rows of people, the smallest first; PostgreSQL's own catalogs are left out, large objects are not. */
  tables(): Promise<StoredTable[]> {
    return this.#session.query<StoredTable>(TABLES);
  }

  /**
   * Reads parts of a table row by row; `horizon` is the id below which rows count as old. What is wrong with this table
   * alone is answered and not thrown. `onRead` is called behind each part, and may throw to end it.
   */
  async measure(
    table: Pick<StoredTable, "schema" | "name">,
    { parts, horizon, onRead }: { parts: Part[]; horizon: string; onRead?: () => void },
  ): Promise<Measured | Unread> {
    const sum = { rows: 0, old: { rows: 0, hash: 0n } };
    await this.#session.query("SAVEPOINT one_table");
    try {
      for (const [from, to] of parts) {
        const values = [this.#next, horizon, `(${from},0)`, `(${to},0)`];
        const [row] = await this.#session.query<{ rows: number; old_rows: number; old_hash: string }>(
          MEASURE(table),
          values,
        );
        sum.rows += row!.rows;
        sum.old.rows += row!.old_rows;
        sum.old.hash += BigInt(row!.old_hash);
        onRead?.();
      }
    } catch (error) {
      if (!isOfTable(error)) throw error;
      return { unread: error.message, isTooLarge: isTooLarge(error) };
    } finally {
      // Also after success: what a transaction has locked stays so to its end, and this one is long.
      await this.#session.query("ROLLBACK TO SAVEPOINT one_table").catch(() => {});
    }
    return { rows: sum.rows, old: { rows: sum.old.rows, hash: String(sum.old.hash) } };
  }
}

/**
 * Shows what the session's database holds, all of it as of one moment. Nothing is written, and no table stays locked.
 * `longest` is how many milliseconds one statement may take; 0 for any.
 */
export async function withContent<T>(
  session: Session,
  longest: number,
  work: (content: ContentSnapshot) => Promise<T>,
): Promise<T> {
  await session.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  try {
    const settings = { ...FORM, statement_timeout: String(Math.ceil(longest)) };
    for (const [name, value] of Object.entries(settings))
      await session.query("SELECT pg_catalog.set_config($1, $2, true)", [name, value]);
    const [row] = await session.query<{ next: string; horizon: string }>(
      `SELECT pg_catalog.pg_snapshot_xmax(s)::text AS next, pg_catalog.pg_snapshot_xmin(s)::text AS horizon
       FROM pg_catalog.pg_current_snapshot() s`,
    );
    return await work(new ContentSnapshot(session, row!.next, row!.horizon));
  } finally {
    await session.query("ROLLBACK").catch(() => {});
  }
}

/** Blocks that stand for so many bytes of a table with what it keeps out of line. */
const blocksFor = (bytes: number, table: Pick<StoredTable, "blocks" | "bytes">): number =>
  Math.max(1, Math.floor((bytes * table.blocks) / Math.max(1, table.bytes)));

/** All of a table, in parts of a size that one statement should have. */
export function wholeTable(table: Pick<StoredTable, "blocks" | "bytes">): Part[] {
  const span = blocksFor(BYTES_AT_ONCE, table);
  const starts = [0];
  for (let from = span; from < table.blocks; from += span) starts.push(from);
  // The last has no end: what was appended since the size was asked belongs to it.
  return starts.map((from, i): Part => [from, starts[i + 1] ?? LAST_BLOCK]);
}

/** So many pieces, evenly over a table, of so many bytes together; null where that would be all of it. */
export function sampleOf(table: Pick<StoredTable, "blocks" | "bytes">, pieces: number, bytes: number): Part[] | null {
  const span = blocksFor(bytes / pieces, table);
  if (span * pieces >= table.blocks) return null;
  const step = (table.blocks - span) / (pieces - 1);
  return Array.from({ length: pieces }, (_, i): Part => [Math.floor(i * step), Math.floor(i * step) + span]);
}

const DAMAGE = /invalid page|could not (read block|open file|access status)|(missing|unexpected) chunk|corrupt/;

/** Whether PostgreSQL says that it cannot read its own files, as opposed to a table that is in use, say. */
export const isDamage = (message: string): boolean => DAMAGE.test(message);

/** A statement that failed, as opposed to a session that broke or a server that goes down. */
const isOfTable = (error: unknown): error is DatabaseError =>
  error instanceof DatabaseError && !/^(08|28|57P)/.test(error.code ?? "") && error.severity !== "FATAL";

/** PostgreSQL cannot hold more than 1 GB as one text (SQLSTATE 54000; for bytea it only says that it cannot allocate it). */
const isTooLarge = ({ code, message }: DatabaseError): boolean =>
  code === "54000" || code === "53200" || /invalid memory alloc request size/.test(message);
