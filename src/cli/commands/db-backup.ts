import { HomelabError } from "../../core/errors.ts";
import { formatBytes, formatSeconds } from "../../core/units.ts";
import type { Body } from "../api/contract.ts";
import type { Context } from "../context.ts";
import { lookAt } from "../look.ts";
import { operate } from "../operate.ts";
import { backupOne, listOne } from "./db-dumps.ts";
import { done, noteStale, paint, table } from "../output.ts";

type Backup = Body<"GET /api/backups">["items"][number];

const TYPES = ["full", "diff", "incr"];

/** Backs the whole cluster up. */
export async function backup(
  context: Context,
  type: string | undefined,
  flags: { db?: string; note?: string; repository?: string },
): Promise<void> {
  if (flags.db !== undefined) return backupOne(context, flags.db, type, flags);
  if (type !== undefined && !TYPES.includes(type))
    throw new HomelabError("usage", `${type} is no type of backup`, { hint: `One of ${TYPES.join(", ")}.` });
  const end = await operate(context, "backup.create", { type, note: flags.note, repository: flags.repository });
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  const { backups } = end.result as { backups: Backup[] };
  for (const made of backups) context.out.note(said(made));
  for (const made of backups) context.out.line(made.label);
}

function said(made: Backup): string {
  const seconds = (Date.parse(made.stopped_at) - Date.parse(made.started_at)) / 1000;
  const figures = [
    made.type,
    `${formatBytes(made.database_bytes)} in, ${formatBytes(made.added_bytes)} stored`,
    formatSeconds(seconds),
    made.repository,
  ];
  if (made.fault) return `${paint("red", "✗", process.stderr)} ${made.label} is not to be relied on: ${made.fault}`;
  return done(`${made.label}  ${figures.join("  ")}`);
}

/** Every backup, as the repositories have them. */
export async function list(context: Context, flags: { db?: string }): Promise<void> {
  if (flags.db !== undefined) return listOne(context, flags.db);
  const seen = await lookAt(context, "GET /api/backups");
  const page = seen.next_cursor === null ? seen : await (await context.api()).list("GET /api/backups", {});
  if (context.flags.json) return context.out.json(page);
  const rows = page.items.map((each) => [
    each.label,
    each.type,
    each.stopped_at,
    formatBytes(each.database_bytes),
    formatBytes(each.added_bytes),
    each.repository,
    each.fault ? paint("red", "NO") : "yes",
    each.proven_at ?? "-",
    each.fault ?? each.note ?? "",
  ]);
  table(context.out, ["ID", "TYPE", "FINISHED", "DATABASE", "ADDED", "REPO", "CHECKED", "PROVEN", "NOTE"], rows);
  noteStale(context.out, page);
}
