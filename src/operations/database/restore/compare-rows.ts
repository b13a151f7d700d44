import { HomelabError } from "../../../core/errors.ts";
import { countRows, ownTables, type TableName } from "../../../engines/postgres/described.ts";
import type { Session } from "../../../engines/postgres/sessions.ts";
import { inScratch } from "../../../site/scratch.ts";
import type { Step } from "../../operation.ts";
import { restoredOf } from "./check-restored.ts";
import { temporaryName, type RestoreContext, type RestoreInput } from "./input.ts";
import { openScratch } from "./open-scratch.ts";

/** Rows of each table, by its quoted name; a table that is not there has none. */
async function count(session: Session, tables: TableName[], onRows?: (rows: number) => void) {
  // A count of a large table may take longer than a question of ours usually gets.
  await session.query("SELECT pg_catalog.set_config('statement_timeout', '0', false)");
  const there = new Set((await ownTables(session)).map(({ quoted }) => quoted));
  const counts = new Map<string, number>();
  let rows = 0;
  for (const table of tables.filter(({ quoted }) => there.has(quoted))) {
    const found = await countRows(session, table);
    counts.set(table.quoted, found);
    onRows?.((rows += found));
  }
  return counts;
}

async function countBoth(context: RestoreContext) {
  const { site, runId, input } = context;
  await openScratch(context);
  const { tables } = restoredOf(context);
  const sessions = await site.postgres();
  const onRows = (rows: number) => context.progress({ done: rows, total: null, unit: "rows" });
  const [wanted, found] = await Promise.all([
    inScratch(site, runId, input.database, (session) => count(session, tables)),
    sessions.within(temporaryName(context), (session) => count(session, tables, onRows)),
  ]);
  await sessions.leave();
  return { wanted, found };
}

/** What was compared, for the result. */
export type Compared = { tables: number; rows: number };

/** Every row went over: what an exit code of 0 does not say. */
export const compareRows: Step<RestoreInput> = {
  name: "compare-rows",
  plan: () => "count the rows of every table on both sides",
  async run(context) {
    const { wanted, found: came } = await countBoth(context);
    const different = [...wanted].filter(([table, rows]) => came.get(table) !== rows);
    if (different.length > 0) {
      const [table, rows] = different[0]!;
      const found = came.get(table);
      throw new HomelabError(
        "step_failed",
        `${different.length} tables did not go over whole: ${table} has ${rows} rows, ${found ?? "and is not there"}${found === undefined ? "" : " of them came"}`,
        { hint: "Nothing was changed. homelab op show tells what could not be made, and why." },
      );
    }
    const output: Compared = { tables: wanted.size, rows: [...wanted.values()].reduce((sum, rows) => sum + rows, 0) };
    return { says: `${output.rows} rows in ${output.tables} tables, the same on both sides`, output };
  },
  deadline: 300,
};
