import { printable } from "../../core/text.ts";
import type { Context } from "../context.ts";
import { table } from "../output.ts";

/** Who changed what, the newest first. */
export async function audit(
  context: Context,
  flags: { actor?: string; action?: string; limit?: number },
): Promise<void> {
  const query = { actor: flags.actor, action: flags.action };
  const page = await (await context.api()).list("GET /api/audit", { query }, flags.limit ?? 50);
  if (context.flags.json) return context.out.json(page);
  const rows = page.items.map((entry) => [
    entry.at,
    printable(entry.actor),
    entry.action,
    printable(entry.target || "-"),
    entry.result,
    entry.address ?? "-",
  ]);
  table(context.out, ["AT", "WHO", "DID", "TO", "RESULT", "FROM"], rows);
  if (rows.length === 0) context.out.note("Nothing is recorded.");
}
