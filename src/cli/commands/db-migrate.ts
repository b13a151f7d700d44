import { HomelabError } from "../../core/errors.ts";
import type { Context } from "../context.ts";

/** The revision of the platform's own database. */
export async function migrate(context: Context, flags: { status?: boolean }): Promise<void> {
  if (!flags.status)
    throw new HomelabError("usage", "the platform's database is migrated by the hub itself", {
      hint: "homelab db migrate --status shows how far it is.",
    });
  const { current, head, pending, ...rest } = await (await context.api()).call("GET /api/platform/migrations", {});
  if (context.flags.json) return context.out.json({ current, head, pending, ...rest });
  context.out.line(`current  ${current ?? "-"}`);
  context.out.line(`newest   ${head}`);
  context.out.line(`pending  ${pending.join(", ") || "-"}`);
}
