import { formatBytes } from "../../core/units.ts";
import type { Context } from "../context.ts";
import { lookAt } from "../look.ts";
import { operate } from "../operate.ts";
import { done, mark, noteStale, paint, table } from "../output.ts";

/** When what is made by itself. */
export async function schedule(context: Context): Promise<void> {
  const { out, flags } = context;
  const report = await lookAt(context, "GET /api/backups/timetable");
  if (flags.json) return out.json(report);
  const rows = report.rows.map(({ work, schedule: text, next_at, last_at }) => [
    work,
    text,
    next_at ?? "-",
    last_at ?? "never",
  ]);
  table(out, ["WHAT", "SCHEDULE", "NEXT", "LAST"], rows);
  out.note(`The schedules are in the machine's time zone, ${report.time_zone}; the times above are UTC.`);
  if (report.due) {
    const from = report.due.not_before ? `, not before ${report.due.not_before}: the last try failed` : "";
    out.note(`Due now: ${report.due.type}, since ${report.due.why}${from}`);
  }
  noteStale(out, report);
}

/** What the retention removes next. */
export async function retention(context: Context): Promise<void> {
  const { out, flags } = context;
  const report = await lookAt(context, "GET /api/backups/retention");
  if (flags.json) return out.json(report);
  const rows = report.repositories.flatMap(({ repository, going, pinned }) => [
    ...going.map((each) => [
      each.label,
      each.type,
      repository,
      each.when === "now" ? "goes with the next backup" : "goes with the next full backup",
      formatBytes(each.added_bytes),
    ]),
    ...pinned.map(({ label, why }) => [label, "-", repository, "stays", why]),
  ]);
  table(out, ["ID", "TYPE", "REPO", "WHAT", "STORED, OR WHY"], rows);
  const { full, diff, archive_days: days } = report.keep;
  out.note(`Kept are ${full} full and ${diff} differential backups, and the WAL of ${days} days.`);
  for (const { repository, trouble, wal_from: from } of report.repositories) {
    if (trouble) out.note(`${repository} cannot be read: ${trouble}`);
    else if (from) out.note(`${repository}: any second can be had back from ${from} on.`);
  }
  noteStale(out, report);
}

/** Reads the repositories whole. Ends with 6 when something in them cannot be relied on. */
export async function check(context: Context): Promise<void> {
  const { out, flags } = context;
  const end = await operate(context, "backup.check", {});
  if (!end) return;
  const { repositories } = end.result as { repositories: { repository: string; says: string[] }[] };
  const bad = repositories.flatMap(({ repository, says }) => says.map((each) => `${repository}: ${each}`));
  if (bad.length > 0) process.exitCode = 6;
  if (flags.json) return out.json(end);
  for (const each of bad) out.line(`${paint("red", mark.down)} ${each}`);
  if (bad.length === 0) out.note(done("Every file is whole, and no WAL is missing."));
}
