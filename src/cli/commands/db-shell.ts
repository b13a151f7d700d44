import { HomelabError } from "../../core/errors.ts";
import type { Context } from "../context.ts";
import { openShell } from "../db-shell.ts";

export async function shell(context: Context, name: string, flags: { as?: string; replica?: boolean }): Promise<void> {
  if (flags.replica) throw new HomelabError("usage", "there is no replica on a cluster of one node");
  await openShell(await context.site(), name, flags.as);
}
