import { HomelabError } from "../../core/errors.ts";
import { parseMoment } from "../../core/moment.ts";
import { formatBytes, formatSeconds } from "../../core/units.ts";
import type { Body } from "../api/contract.ts";
import { confirmName } from "../confirm.ts";
import type { Context } from "../context.ts";
import { operate } from "../operate.ts";
import { done, noteStale, paint, table } from "../output.ts";
import { settingOf } from "../setting.ts";

/** What says how far a restore goes. */
export interface TargetFlags {
  to?: string;
  xid?: string;
  lsn?: string;
  name?: string;
  latest?: boolean;
}

interface RestoreFlags extends TargetFlags {
  db?: string;
  as?: string;
  table?: string[];
}

/** The target as the API takes it. A time without a zone is this machine's local time, wherever the server is. */
export function targetOf(backup: string | undefined, flags: TargetFlags) {
  const to = flags.to === undefined ? undefined : parseMoment(flags.to);
  if (flags.to !== undefined && to === undefined)
    throw new HomelabError("usage", `--to ${flags.to}: no moment`, {
      hint: `As in --to "2026-11-20 14:05", or 2026-11-20T14:05:30Z.`,
    });
  const { xid, lsn, name: restore_point, latest } = flags;
  return { backup, to, xid, lsn, restore_point, latest };
}

interface RestoreResult {
  database: string;
  of: string;
  backup: string;
  as_of: string | null;
  last_transaction_at: string | null;
  waits: boolean;
  tables: number;
  rows: number;
  not_made: { what: string; why: string }[];
}

/** Brings one database back beside the present one. */
export async function restore(context: Context, backup: string | undefined, flags: RestoreFlags): Promise<void> {
  const { out } = context;
  if (flags.db === undefined)
    throw new HomelabError("usage", "which database is to be restored?", { hint: "Name it with --db <name>." });
  const input = { ...targetOf(backup, flags), database: flags.db, as: flags.as, tables: flags.table ?? [] };
  const end = await operate(context, "database.restore", input);
  if (!end) return;
  if (context.flags.json) return out.json(end);
  const { database, of, as_of: asOf, waits, tables, rows, not_made: notMade, ...from } = end.result as RestoreResult;
  const then = asOf ?? from.last_transaction_at;
  const seconds = (Date.parse(end.finished_at!) - Date.parse(end.created_at)) / 1000;
  out.note(
    done(
      `${database} is ${of}${then ? ` as it was at ${then}` : ""}: ${tables} tables, ${rows} rows, from ${from.backup}, in ${formatSeconds(seconds)}`,
    ),
  );
  for (const { what, why } of notMade) out.note(`${paint("yellow", "!", process.stderr)} not made: ${what} (${why})`);
  out.note(`look: homelab db-shell ${database}`);
  if (waits) {
    out.note(`keep: homelab db switch-to ${database}`);
    out.note(`drop: homelab db discard ${database}`);
  } else out.note(`use:  homelab db url ${database}   (the roles that it had are gone, it has its own)`);
  out.line(database);
}

/** Puts a restored database in the place of the present one. */
export async function switchTo(context: Context, name: string): Promise<void> {
  if (!context.flags.dryRun)
    await confirmName(context, name, async () => {
      const keep = await settingOf(context, "backup.keep_replaced");
      return `${name} takes the place of the present database; that one is kept for ${typeof keep === "string" ? keep : "a while"}, and what is written from now on is not in it.`;
    });
  const end = await operate(context, "database.switch-to", { name });
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  const { database, replaced, kept_until: until } = end.result as Record<string, string | null>;
  context.out.note(done(`${database} is what was restored; apps go on with the URLs that they have`));
  if (replaced) {
    context.out.note(`the one before is ${replaced}, until ${until}`);
    context.out.note(`undo: homelab db switch-back ${database}`);
  }
}

/** Undoes a switch. */
export async function switchBack(context: Context, name: string): Promise<void> {
  if (!context.flags.dryRun)
    await confirmName(
      context,
      name,
      async () => `${name} is again what it was before the switch; the present one is kept beside it.`,
    );
  const end = await operate(context, "database.switch-back", { name });
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  const { restored } = end.result as { restored: string };
  context.out.note(done(`${name} is what it was before; what was restored is ${restored}`));
}

/** Drops what stands beside a database. */
export async function discard(context: Context, name: string): Promise<void> {
  if (!context.flags.dryRun)
    await confirmName(context, name, async () => `${name} is dropped; backups still have what was in it.`);
  const end = await operate(context, "database.discard", { name });
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  context.out.note(done(`${name} is dropped`));
}

type Listed = Body<"GET /api/restores">["items"][number];

/** What restores left beside their databases. */
export async function listRestores(context: Context): Promise<void> {
  const page = await (await context.api()).list("GET /api/restores", {});
  if (context.flags.json) return context.out.json(page);
  const row = (each: Listed) => [
    each.name,
    each.of,
    each.state,
    each.at,
    each.as_of ?? "-",
    each.until ?? "-",
    each.size_bytes === null ? "-" : formatBytes(each.size_bytes),
  ];
  table(context.out, ["NAME", "BESIDE", "STATE", "SINCE", "AS OF", "DROPPED AT", "SIZE"], page.items.map(row));
  noteStale(context.out, page);
}
