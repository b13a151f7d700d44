import { errorMessage } from "../core/errors.ts";
import { wholeTable, withContent, type Content, type Unread } from "../engines/postgres/content.ts";
import { listDatabases } from "../engines/postgres/databases.ts";
import type { MarkedTable } from "../engines/postgres/marks.ts";
import type { PostgresSessions } from "../engines/postgres/sessions.ts";

/** What the live cluster has now of a table that a mark knows; `gone`: it was dropped meanwhile. */
export type LiveContent = Content | "gone" | Unread;

/** What comes of a comparison. `unknown`: the live cluster, which would have to explain the difference, cannot be read. */
export type Verdict = "equal" | "changed" | "differs" | "unknown";

const same = (a: Content, b: Content): boolean => a.rows === b.rows && a.hash === b.hash;

/**
 * Judges a table whose restored content is not that of the mark. Only rows count that are older than the mark. Of those
 * none can be added any more: from the mark to the restored second to now they can only become fewer, by UPDATE, DELETE
 * and the like. So what the live cluster still has, the copy must have; and where the live cluster still has all that the
 * mark saw, nothing explains the difference.
 */
export function judge(marked: Content, restored: Content | undefined, live: LiveContent): Verdict {
  if (restored && same(marked, restored)) return "equal";
  if (live === "gone") return "changed";
  if ("unread" in live) return "unknown";
  if (same(marked, live) || live.rows > (restored?.rows ?? 0)) return "differs";
  return (restored?.rows ?? 0) > marked.rows ? "differs" : "changed";
}

/** How a restored table differs from the mark, in words. */
export function difference(marked: Content, restored: Content | undefined): string {
  if (!restored) return "is missing, with the mark's " + rows(marked.rows);
  if (restored.rows === marked.rows) return `has the mark's ${rows(marked.rows)}, but not their content`;
  return `has ${rows(restored.rows)} of the mark's ${rows(marked.rows)}`;
}

const rows = (count: number): string => `${count} ${count === 1 ? "row" : "rows"}`;

/** Tables of one database that have to be asked for again. */
export interface Question {
  database: { oid: number; horizon: string };
  tables: MarkedTable[];
}

/** Reads in the live cluster what it has now of these tables, measured as the mark was. By the tables' oids. */
export async function askLive(
  live: PostgresSessions,
  { database, tables }: Question,
): Promise<Map<number, LiveContent>> {
  const all = (answer: LiveContent) => new Map(tables.map(({ oid }) => [oid, answer]));
  try {
    const row = (await listDatabases(await live.admin())).find(({ oid }) => Number(oid) === database.oid);
    if (!row) return all("gone");
    if (!row.allowsConnections) return all(unread(`${row.name} takes no connections`));
    return await live.within(row.name, (session) =>
      withContent(session, LONGEST, async (content) => {
        const present = new Map((await content.tables()).map((table) => [table.oid, table]));
        const answers = new Map<number, LiveContent>();
        for (const { oid, parts } of tables) {
          const table = present.get(oid);
          if (!table) {
            answers.set(oid, "gone");
            continue;
          }
          const how = { parts: parts ?? wholeTable(table), horizon: database.horizon };
          const seen = await content.measure(table, how);
          answers.set(oid, "unread" in seen ? seen : seen.old);
        }
        return answers;
      }),
    );
  } catch (error) {
    return all(unread(errorMessage(error)));
  }
}

/** Milliseconds for one statement in the live cluster: it reads 128 MB. */
const LONGEST = 300_000;

const unread = (says: string): Unread => ({ unread: says, isTooLarge: false });
