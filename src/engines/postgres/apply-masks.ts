import type { Client, QueryConfig } from "pg";
import { setTrigger, tableName, type TriggerState } from "./ddl.ts";
import { maskTable, type Mask } from "./masking.ts";

/** What became of a table. */
export interface MaskedTable {
  table: string;
  columns: string[];
  rows: number;
}

interface Trigger {
  schema: string;
  table: string;
  name: string;
  state: TriggerState;
}

/** Of the table and of everything below it: an UPDATE comes by all of them. */
const TRIGGERS = `
  WITH RECURSIVE below AS (
    SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
    UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN below b ON b.oid = i.inhparent)
  SELECT n.nspname AS schema, c.relname AS "table", t.tgname AS name, t.tgenabled AS state
  FROM below b JOIN pg_catalog.pg_trigger t ON t.tgrelid = b.oid
  JOIN pg_catalog.pg_class c ON c.oid = b.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'`;

/**
 * Masks as the owner, each table in one transaction. The app's triggers are off meanwhile: one that keeps a history would
 * keep what is masked. Materialised views are filled anew, and the tables written anew, so that their files hold nothing
 * of before.
 */
export async function applyMasks(
  client: Client,
  masks: Mask[],
  key: string,
  onTable: (done: number) => void,
): Promise<MaskedTable[]> {
  const byTable = Map.groupBy(masks, ({ column }) => tableName(column));
  const done: MaskedTable[] = [];
  for (const own of byTable.values()) {
    done.push(await maskOne(client, own, key));
    onTable(done.length);
  }
  for (const table of byTable.keys()) await client.query(`VACUUM (FULL, ANALYZE) ${table}`);
  if (byTable.size > 0) await refreshViews(client);
  return done;
}

async function maskOne(client: Client, masks: Mask[], key: string): Promise<MaskedTable> {
  const { schema, table } = masks[0]!.column;
  await client.query("BEGIN");
  try {
    // A policy that hides rows would hide them from being masked: an error instead.
    await client.query("SET LOCAL row_security = off");
    await client.query("SET LOCAL search_path = pg_catalog, pg_temp");
    const { rows: triggers } = await client.query<Trigger>(TRIGGERS, [schema, table]);
    for (const trigger of triggers) await client.query(setTrigger(trigger, trigger.name, "D"));
    const { statement, usesKey } = maskTable(masks);
    // With the extended protocol it is one statement, whatever an expression says.
    const query: QueryConfig & { queryMode: "extended" } = {
      text: statement,
      values: usesKey ? [key] : [],
      queryMode: "extended",
    };
    const { rowCount } = await client.query(query);
    for (const trigger of triggers) await client.query(setTrigger(trigger, trigger.name, trigger.state));
    await client.query("COMMIT");
    return { table: `${schema}.${table}`, columns: masks.map(({ column }) => column.column), rows: rowCount ?? 0 };
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
}

/** In the order in which they were made: a view on a view comes after it. */
async function refreshViews(client: Client): Promise<void> {
  const { rows } = await client.query<{ schema: string; table: string }>(
    `SELECT n.nspname AS schema, c.relname AS "table" FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm' AND c.relispopulated ORDER BY c.oid`,
  );
  for (const view of rows) await client.query(`REFRESH MATERIALIZED VIEW ${tableName(view)}`);
}
