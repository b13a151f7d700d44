import { errorMessage } from "../core/errors.ts";
import {
  wholeTable,
  withContent,
  type Content,
  type ContentSnapshot,
  type StoredTable,
} from "../engines/postgres/content.ts";
import type { MarkedDatabase, MarkedTable } from "../engines/postgres/marks.ts";
import type { PostgresSessions, Session } from "../engines/postgres/sessions.ts";
import { askLive, difference, judge, type LiveContent } from "./compare-mark.ts";
import { tableName } from "./mark.ts";

/** What reading every table of a restored copy found. */
export interface CopyReport {
  databases: number;
  tables: number;
  rows: number;
  bytes: number;
  /** Tables that hold what the mark saw; of how many of them only samples are known. */
  equal: number;
  sampled: number;
  /** Tables that were changed between the mark and the restored second: they were read, and what is left of the mark is there. */
  changed: number;
  /** Tables and databases that could not be compared. They were read all the same, where the reason is not that. */
  not_compared: number;
  /** Why those were not, the first of them. */
  reasons: string[];
  /** What is wrong with the copy, the first of it. */
  faults: string[];
}

/** What the reading works with. */
export interface CopyReading {
  /** Works in a database of the copy. */
  within<T>(database: string, work: (session: Session) => Promise<T>): Promise<T>;
  /** Whether the copy's server still runs: where it does, a database that cannot be read is broken. */
  isUp(): Promise<boolean>;
  live: PostgresSessions;
  /** What the copy is compared with; empty where there is no mark. */
  mark: MarkedDatabase[];
  /** Called behind each part of a table, with the bytes that were read so far. */
  onRead?: (bytes: number) => void;
  signal: AbortSignal;
}

/** A table of the mark, and what the copy has of it. */
interface Pair {
  table: MarkedTable & { content: Content };
  restored: Content | undefined;
}

/** Every database that can be entered; templates of people have rows too. */
const DATABASES = `
  SELECT oid, datname AS name FROM pg_catalog.pg_database
  WHERE datallowconn AND datconnlimit <> -2 ORDER BY datname`;

const MOST_NOTED = 20;

/** Reads every row of every table of a copy, and compares it with the mark. */
export async function readCopy(reading: CopyReading): Promise<CopyReport> {
  const report: CopyReport = {
    databases: 0,
    tables: 0,
    rows: 0,
    bytes: 0,
    equal: 0,
    sampled: 0,
    changed: 0,
    not_compared: 0,
    reasons: [],
    faults: [],
  };
  const databases = await reading.within("postgres", (session) =>
    session.query<{ oid: number; name: string }>(DATABASES),
  );
  for (const { oid, name } of databases) {
    const marked = reading.mark.find((each) => each.oid === oid);
    report.databases += 1;
    try {
      const pairs = await readDatabase(reading, report, name, marked);
      if (marked) await compare(reading, report, marked, pairs);
    } catch (error) {
      if (reading.signal.aborted || !(await reading.isUp())) throw error;
      note(report.faults, `${name}: ${errorMessage(error)}`);
    }
  }
  const present = new Set(databases.map(({ oid }) => oid));
  for (const marked of reading.mark.filter(({ oid }) => !present.has(oid)))
    await compare(reading, report, marked, pairsOf(marked, new Map()));
  return report;
}

/** The report is kept: a cluster with a hundred thousand broken tables must not fill the journal. */
function note(list: string[], says: string): void {
  if (list.length < MOST_NOTED) list.push(says);
}

function leaveOut(report: CopyReport, why: string): void {
  report.not_compared += 1;
  note(report.reasons, why);
}

const hasContent = (table: MarkedTable): table is Pair["table"] => table.content !== null;

const pairsOf = (marked: MarkedDatabase, restored: Map<number, Content>): Pair[] =>
  marked.tables.filter(hasContent).map((table) => ({ table, restored: restored.get(table.oid) }));

/** Reads a database of the copy, and answers what it has of the mark's tables. What cannot be read is left out of that. */
async function readDatabase(
  reading: CopyReading,
  report: CopyReport,
  database: string,
  marked: MarkedDatabase | undefined,
): Promise<Pair[]> {
  const known = new Map((marked?.tables ?? []).map((table) => [table.oid, table]));
  const restored = new Map<number, Content>();
  const unreadable = new Set<number>();
  await reading.within(database, (session) =>
    withContent(session, 0, async (content) => {
      for (const table of await content.tables()) {
        const seen = await readTable({ content, reading, report, database }, table, {
          table: known.get(table.oid),
          horizon: marked?.horizon ?? "0",
        });
        if (seen) restored.set(table.oid, seen);
        else unreadable.add(table.oid);
      }
    }),
  );
  return marked ? pairsOf(marked, restored).filter(({ table }) => !unreadable.has(table.oid)) : [];
}

interface Place {
  content: ContentSnapshot;
  reading: CopyReading;
  report: CopyReport;
  database: string;
}

/** Reads one table of the copy whole; answers what the mark is compared with, or undefined where it cannot be read. */
async function readTable(
  { content, reading, report, database }: Place,
  table: StoredTable,
  marked: { table: MarkedTable | undefined; horizon: string },
): Promise<Content | undefined> {
  const { onRead, signal } = reading;
  const { horizon } = marked;
  const parts = wholeTable(table);
  let read = 0;
  const seen = await content.measure(table, {
    parts,
    horizon,
    onRead: () => {
      signal.throwIfAborted();
      onRead?.(report.bytes + Math.round((table.bytes * ++read) / parts.length));
    },
  });
  report.tables += 1;
  report.bytes += table.bytes;
  const name = tableName({ database, ...table });
  if ("unread" in seen) {
    // A row that is too large for text is so in the live cluster too; then its pages were checked, and no more can be.
    const isAlsoThere = seen.isTooLarge && marked.table?.unread === seen.unread;
    if (!isAlsoThere) note(report.faults, `${name}: ${seen.unread}`);
    return undefined;
  }
  report.rows += seen.rows;
  if (!marked.table?.parts) return seen.old;
  const sample = await content.measure(table, { parts: marked.table.parts, horizon });
  return "unread" in sample ? undefined : sample.old;
}

/** Compares a database; what differs is looked up in the live cluster, which knows what was changed meanwhile. */
async function compare(
  { live }: CopyReading,
  report: CopyReport,
  marked: MarkedDatabase,
  pairs: Pair[],
): Promise<void> {
  if (marked.unread !== null) leaveOut(report, `${marked.name}: ${marked.unread}`);
  for (const table of marked.tables.filter(({ unread }) => unread !== null))
    leaveOut(report, `${tableName({ database: marked.name, ...table })}: ${table.unread}`);
  const isEqual = ({ table, restored }: Pair) => judge(table.content, restored, "gone") === "equal";
  const open = pairs.filter((pair) => !isEqual(pair));
  report.equal += pairs.length - open.length;
  report.sampled += pairs.filter((pair) => isEqual(pair) && pair.table.parts !== null).length;
  if (open.length === 0) return;
  const answers = await askLive(live, { database: marked, tables: open.map(({ table }) => table) });
  for (const pair of open) settle(report, marked.name, pair, answers.get(pair.table.oid) ?? "gone");
}

function settle(report: CopyReport, database: string, { table, restored }: Pair, live: LiveContent): void {
  const name = tableName({ database, ...table });
  const verdict = judge(table.content, restored, live);
  if (verdict === "differs") note(report.faults, `${name} ${difference(table.content, restored)}`);
  else if (verdict === "changed") report.changed += 1;
  else leaveOut(report, `${name}: it differs from the mark, and the live cluster cannot be asked why`);
}
