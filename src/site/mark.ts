import { errorMessage } from "../core/errors.ts";
import {
  isDamage,
  sampleOf,
  wholeTable,
  withContent,
  type ContentSnapshot,
  type Part,
  type StoredTable,
} from "../engines/postgres/content.ts";
import { databaseExists, listDatabases } from "../engines/postgres/databases.ts";
import {
  listMarks,
  readMark,
  writeMark,
  type MarkedDatabase,
  type MarkedTable,
  type MarkInfo,
} from "../engines/postgres/marks.ts";
import type { PostgresSessions, Session } from "../engines/postgres/sessions.ts";
import type { Site } from "./site.ts";

/** What reading for a mark may cost the live cluster. */
export interface MarkBudget {
  /** Milliseconds; what is not read then is left out, and said. */
  time: number;
  /** Bytes of tables that are read whole; from then on, samples. */
  bytes: number;
  /** Bytes of the largest table that is read whole. */
  tableBytes: number;
}

/** A minute, and a gigabyte: what a disk of 2026 reads beside other work in some seconds. */
const BUDGET: MarkBudget = { time: 60_000, bytes: 1024 ** 3, tableBytes: 512 * 1024 ** 2 };

/** A sample of a larger table: so many pieces, of so many bytes together. */
const PIECES = 16;
const SAMPLE_BYTES = 8 * 1024 ** 2;

/** What a mark is about, for people. */
export interface MarkSummary extends MarkInfo {
  databases: number;
  tables: number;
  /** Tables of which only samples were read. */
  sampled: number;
  /** Tables and databases that were not read. */
  unread: number;
  /** Of those, the ones that are damaged: PostgreSQL cannot read its own files. With the reason; the first of them. */
  damaged: string[];
}

/** What is left of a budget while a mark is made. */
interface Purse {
  until: number;
  bytes: number;
  tableBytes: number;
}

const OUT_OF_TIME = "the time for the mark was up";

/**
 * Writes down in the cluster what its tables hold: how many rows, and a hash of them. That is in the WAL then, so that
 * a restore to any later second can be compared with it. It reads beside the apps, within a budget.
 */
export async function makeMark(
  site: Site,
  id: string,
  { onTable, budget = BUDGET }: { onTable?: (bytes: number) => void; budget?: MarkBudget } = {},
): Promise<MarkSummary> {
  const sessions = await site.postgres();
  const admin = await sessions.admin();
  const known = await findMark(admin, id);
  if (known) return { ...known, ...summaryOf(await readMark(admin, id)) };
  const purse = { until: Date.now() + budget.time, bytes: budget.bytes, tableBytes: budget.tableBytes };
  const databases: MarkedDatabase[] = [];
  // −2 is what a DROP DATABASE leaves that was cut off (PostgreSQL 15.4): nobody can enter it.
  const rows = (await listDatabases(admin)).filter((row) => row.allowsConnections && row.connectionLimit !== -2);
  for (const { name, oid } of rows) {
    const marked = await markDatabase(sessions, { name, oid: Number(oid) }, purse, onTable);
    if (marked.unread === null || (await databaseExists(admin, name))) databases.push(marked);
  }
  await writeMark(admin, id, databases);
  return { ...(await findMark(admin, id))!, ...summaryOf(databases) };
}

const findMark = async (admin: Session, id: string): Promise<MarkInfo | undefined> =>
  (await listMarks(admin)).find((each) => each.id === id);

async function markDatabase(
  sessions: PostgresSessions,
  { name, oid }: { name: string; oid: number },
  purse: Purse,
  onTable?: (bytes: number) => void,
): Promise<MarkedDatabase> {
  const empty = { oid, name, horizon: "0", tables: [] };
  if (Date.now() > purse.until) return { ...empty, unread: OUT_OF_TIME };
  try {
    return await sessions.within(name, (session) =>
      withContent(session, Math.max(1000, purse.until - Date.now()), async (content) => {
        const tables: MarkedTable[] = [];
        for (const table of await content.tables()) {
          tables.push(await markTable(content, table, purse));
          onTable?.(table.bytes);
        }
        return { oid, name, horizon: content.horizon, tables, unread: null };
      }),
    );
  } catch (error) {
    return { ...empty, unread: errorMessage(error) };
  }
}

async function markTable(content: ContentSnapshot, table: StoredTable, purse: Purse): Promise<MarkedTable> {
  const { oid, schema, name, bytes } = table;
  const known = { oid, schema, name, parts: null };
  if (Date.now() > purse.until) return { ...known, content: null, unread: OUT_OF_TIME };
  const parts = sampleFor(table, purse);
  if (!parts) purse.bytes -= bytes;
  const seen = await content.measure(table, { parts: parts ?? wholeTable(table), horizon: content.horizon });
  if ("unread" in seen) return { ...known, content: null, unread: seen.unread };
  return { ...known, parts, content: seen.old, unread: null };
}

/** The parts of a table that is too large to be read whole; null for another. */
const sampleFor = (table: StoredTable, purse: Purse): Part[] | null =>
  table.bytes > Math.min(purse.tableBytes, purse.bytes) ? sampleOf(table, PIECES, SAMPLE_BYTES) : null;

function summaryOf(databases: MarkedDatabase[]): Omit<MarkSummary, keyof MarkInfo> {
  const tables = databases.flatMap((each) => each.tables.map((table) => ({ database: each.name, ...table })));
  const unread = [
    ...databases.filter((each) => each.unread !== null).map((each) => `${each.name}: ${each.unread}`),
    ...tables.filter((each) => each.unread !== null).map((each) => `${tableName(each)}: ${each.unread}`),
  ];
  return {
    databases: databases.length,
    tables: tables.length,
    sampled: tables.filter(({ parts }) => parts !== null).length,
    unread: unread.length,
    damaged: unread.filter(isDamage).slice(0, 20),
  };
}

/** A table's name for people, with its database. */
export const tableName = (table: { database: string; schema: string; name: string }): string =>
  `${table.database}.${table.schema}.${table.name}`;
