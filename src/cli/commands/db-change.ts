import { databaseUrls } from "../../reports/databases.ts";
import type { Context } from "../context.ts";
import { confirmName } from "../confirm.ts";
import { operate } from "../operate.ts";
import { paint } from "../output.ts";

/** What `db create` takes. */
export interface CreateFlags {
  owner?: string;
  extension?: string[];
  connectionLimit?: number;
  statementTimeout?: string;
  template?: string;
  protect?: boolean;
}

/** Makes a database and hands its URLs back; for one that exists, the same URLs again. */
export async function create(context: Context, name: string, flags: CreateFlags): Promise<void> {
  const site = await context.site();
  const input = {
    name,
    owner: flags.owner,
    extensions: flags.extension ?? [],
    connection_limit: flags.connectionLimit,
    statement_timeout: flags.statementTimeout,
    template: flags.template,
    protect: flags.protect,
  };
  if (!(await operate(context, site, "database.provision", JSON.parse(JSON.stringify(input))))) return;
  const urls = await databaseUrls(site, name);
  if (context.flags.json) return context.out.json(urls);
  context.out.note(`${paint("green", "✓", process.stderr)} database ${name}, role ${urls.user}`);
  context.out.line(`DATABASE_URL=${urls.pooled_url}`);
  context.out.line(`DIRECT_URL=${urls.connection_url}`);
  context.out.note(
    paint(
      "dim",
      `pooled is for apps; direct for migrations, pg_dump and LISTEN. Again: homelab db url ${name}`,
      process.stderr,
    ),
  );
}

export async function remove(context: Context, name: string): Promise<void> {
  const site = await context.site();
  if (!context.flags.dryRun)
    await confirmName(
      context,
      name,
      `${name} is taken out of use; it can be brought back for ${site.topology.settings.database.undelete_within}.`,
    );
  const finished = await operate(context, site, "database.drop", { name });
  if (!finished) return;
  if (context.flags.json) return context.out.json(finished.result);
  context.out.note(`${paint("green", "✓", process.stderr)} ${name} is deleted`);
  context.out.note(`Undo within ${site.topology.settings.database.undelete_within}: homelab db undelete ${name}`);
}

export async function undelete(context: Context, name: string): Promise<void> {
  const finished = await operate(context, await context.site(), "database.undelete", { name });
  if (!finished) return;
  if (context.flags.json) return context.out.json(finished.result);
  context.out.note(`${paint("green", "✓", process.stderr)} ${name} is back, with its roles and passwords`);
}

export async function rotate(context: Context, name: string, flags: { finish?: boolean }): Promise<void> {
  const site = await context.site();
  const finished = await operate(
    context,
    site,
    flags.finish ? "database.finish-rotation" : "database.rotate-password",
    { name },
  );
  if (!finished) return;
  if (context.flags.json)
    return context.out.json(
      flags.finish ? finished.result : { ...(finished.result as object), ...(await databaseUrls(site, name)) },
    );
  if (flags.finish)
    return context.out.note(`${paint("green", "✓", process.stderr)} the old password of ${name} has ended`);
  const urls = await databaseUrls(site, name);
  const { old_password_until: until } = finished.result as { old_password_until: string };
  context.out.line(`DATABASE_URL=${urls.pooled_url}`);
  context.out.line(`DIRECT_URL=${urls.connection_url}`);
  context.out.note(`The old password works until ${until}. End it sooner: homelab db rotate ${name} --finish`);
}
