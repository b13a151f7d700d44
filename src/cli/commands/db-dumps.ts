import { HomelabError } from "../../core/errors.ts";
import { formatBytes } from "../../core/units.ts";
import type { Body } from "../api/contract.ts";
import type { Context } from "../context.ts";
import { operate } from "../operate.ts";
import { done, table } from "../output.ts";

type Dump = Body<"GET /api/databases/{name}/dumps">["items"][number];

/** Dumps one database into the repository's folder. */
export async function backupOne(
  context: Context,
  name: string,
  type: string | undefined,
  flags: { note?: string; repository?: string },
): Promise<void> {
  if (type !== undefined || flags.repository !== undefined)
    throw new HomelabError("usage", "a dump of one database is always whole, and lies in the local repository", {
      hint: `homelab db backup --db ${name}`,
    });
  const end = await operate(context, "database.backup", { name, note: flags.note });
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  const made = end.result as Dump;
  context.out.note(done(`${made.id}  ${formatBytes(made.dump_bytes)}, ${formatBytes(made.stored_bytes)} stored`));
  context.out.note(`Into a new database: homelab db import NEW --dump ${made.id}`);
  context.out.line(made.id);
}

/** The dumps of one database. */
export async function listOne(context: Context, name: string): Promise<void> {
  const page = await (await context.api()).list("GET /api/databases/{name}/dumps", { params: { name } });
  if (context.flags.json) return context.out.json(page);
  const rows = page.items.map((each) => [
    each.id,
    each.made_at,
    formatBytes(each.dump_bytes),
    each.encrypted ? "yes" : "no",
    each.note ?? "",
  ]);
  table(context.out, ["ID", "MADE", "SIZE", "ENCRYPTED", "NOTE"], rows);
  if (page.items.length === 0) context.out.note(`No dump yet: homelab db backup --db ${name}`);
}
