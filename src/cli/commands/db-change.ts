import { HomelabError } from "../../core/errors.ts";
import { printable } from "../../core/text.ts";
import type { Body } from "../api/contract.ts";
import type { Context } from "../context.ts";
import { confirmName } from "../confirm.ts";
import { operate } from "../operate.ts";
import { done, paint } from "../output.ts";
import { settingOf } from "../setting.ts";

/** What `db create` takes. */
interface CreateFlags {
  owner?: string;
  extension?: string[];
  connectionLimit?: number;
  statementTimeout?: string;
  template?: string;
  protect?: boolean;
}

const accessOf = async (context: Context, name: string): Promise<Body<"GET /api/databases/{name}/url">> =>
  (await context.api()).call("GET /api/databases/{name}/url", { params: { name } });

/** Makes a database and hands its URLs back; for one that exists, the same URLs again. */
export async function create(context: Context, name: string, flags: CreateFlags): Promise<void> {
  const input = {
    name,
    owner: flags.owner,
    extensions: flags.extension ?? [],
    connection_limit: flags.connectionLimit,
    statement_timeout: flags.statementTimeout,
    template: flags.template,
    protect: flags.protect,
  };
  if (!(await operate(context, "database.provision", input))) return;
  const urls = await accessOf(context, name);
  if (context.flags.json) return context.out.json(urls);
  context.out.note(done(`database ${name}, role ${urls.user}`));
  context.out.line(`DATABASE_URL=${urls.pooled_url}`);
  context.out.line(`DIRECT_URL=${urls.connection_url}`);
  const advice = `pooled is for apps; direct for migrations, pg_dump and LISTEN. Again: homelab db url ${name}`;
  context.out.note(paint("dim", advice, process.stderr));
}

export async function remove(context: Context, name: string): Promise<void> {
  if (!context.flags.dryRun)
    await confirmName(context, name, async () => {
      const within = await settingOf(context, "database.undelete_within");
      return `${name} is taken out of use; it can be brought back for ${typeof within === "string" ? within : "a while"}.`;
    });
  const end = await operate(context, "database.drop", { name });
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  const { undelete_within: within } = end.result as { undelete_within: string };
  context.out.note(done(`${name} is deleted`));
  context.out.note(`Undo within ${within}: homelab db undelete ${name}`);
}

export async function undelete(context: Context, name: string): Promise<void> {
  const end = await operate(context, "database.undelete", { name });
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  context.out.note(done(`${name} is back, with its roles and passwords`));
}

/** The end of a deleted database: nothing brings it back. */
export async function purge(context: Context, name: string): Promise<void> {
  const deletedName = await waitingName(context, name);
  if (!context.flags.dryRun)
    await confirmName(context, name, async () => `${printable(name)} goes for good, with its dump and its roles.`);
  const end = await operate(context, "database.purge", { deleted_name: deletedName });
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  context.out.note(done(`${name} is gone for good`));
}

/** Under which name a deleted database waits: that one may be given, or the one it had. */
async function waitingName(context: Context, name: string): Promise<string> {
  const { items } = await (await context.api()).list("GET /api/deleted-databases", {});
  const found = items.filter((row) => row.deleted_name === name || row.name === name);
  if (found.length === 1) return found[0]!.deleted_name;
  if (found.length > 1)
    throw new HomelabError("usage", `${found.length} deleted databases were called ${printable(name)}`, {
      hint: `Name one as it waits: ${found.map((row) => row.deleted_name).join(", ")}`,
    });
  throw new HomelabError("not_found", `no deleted database was called ${printable(name)}`, {
    hint: "homelab db list --deleted shows them.",
  });
}

export async function rotate(context: Context, name: string, flags: { finish?: boolean }): Promise<void> {
  if (flags.finish) return finishRotation(context, name);
  const end = await operate(context, "database.rotate-password", { name });
  if (!end) return;
  const urls = await accessOf(context, name);
  const result = end.result as { old_password_until: string };
  if (context.flags.json) return context.out.json({ ...result, ...urls });
  context.out.line(`DATABASE_URL=${urls.pooled_url}`);
  context.out.line(`DIRECT_URL=${urls.connection_url}`);
  context.out.note(
    `The old password works until ${result.old_password_until}. End it sooner: homelab db rotate ${name} --finish`,
  );
}

async function finishRotation(context: Context, name: string): Promise<void> {
  const end = await operate(context, "database.finish-rotation", { name });
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  context.out.note(done(`the old password of ${name} has ended`));
}
