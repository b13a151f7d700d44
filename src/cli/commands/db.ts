import { HomelabError } from "../../core/errors.ts";
import { printable } from "../../core/text.ts";
import { formatBytes } from "../../core/units.ts";
import {
  databaseDetails,
  databaseList,
  databaseUrls,
  deletedList,
  type DatabaseUrls,
} from "../../reports/databases.ts";
import type { Context } from "../context.ts";
import { openShell } from "../db-shell.ts";
import { confirmName } from "../confirm.ts";
import { operate } from "../operate.ts";
import { paint, table } from "../output.ts";

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

export async function list(context: Context, flags: { deleted?: boolean }): Promise<void> {
  const site = await context.site();
  if (flags.deleted) return listDeleted(context);
  const rows = await databaseList(site);
  if (context.flags.json) return context.out.json({ items: rows, next_cursor: null, total: rows.length });
  const cells = rows.map((row) => [
    printable(row.name),
    printable(row.owner),
    row.size_bytes === null ? "-" : formatBytes(row.size_bytes),
    String(row.connections),
    [row.managed ? "" : "not made by homelab", row.protected ? "protected" : ""].filter(Boolean).join(", ") || "-",
  ]);
  table(context.out, ["NAME", "OWNER", "SIZE", "CONN", "NOTE"], cells);
  if (rows.length === 0) context.out.note("No database yet: homelab db create <name>");
}

async function listDeleted(context: Context): Promise<void> {
  const rows = await deletedList(await context.site());
  if (context.flags.json) return context.out.json({ items: rows, next_cursor: null, total: rows.length });
  table(
    context.out,
    ["NAME", "DELETED", "CAN BE BROUGHT BACK UNTIL"],
    rows.map((row) => [printable(row.name), row.deleted_at, row.undelete_until]),
  );
  if (rows.length === 0) context.out.note("Nothing is deleted.");
}

export async function show(context: Context, name: string): Promise<void> {
  const details = await databaseDetails(await context.site(), name);
  if (context.flags.json) return context.out.json(details);
  for (const [key, value] of Object.entries(details)) {
    const text =
      key === "size_bytes" && typeof value === "number" ? formatBytes(value) : printable(String(value ?? "-"));
    context.out.line(`${key.replaceAll("_", " ").replace(" bytes", "").padEnd(20)} ${text}`);
  }
}

/** Which of the URLs, and in which form. */
export interface UrlFlags {
  pooled?: boolean;
  direct?: boolean;
  readOnly?: boolean;
  env?: boolean;
  psql?: boolean;
  jdbc?: boolean;
  host?: string;
}

export async function url(context: Context, name: string, flags: UrlFlags): Promise<void> {
  const site = await context.site();
  const urls = await databaseUrls(site, name, flags.host);
  if (context.flags.json) return context.out.json(urls);
  if (flags.env) {
    context.out.line(`DATABASE_URL=${urls.pooled_url}`);
    return context.out.line(`DIRECT_URL=${urls.connection_url}`);
  }
  const usePooler = flags.pooled ?? (!flags.direct && site.topology.settings.database.use_pooler);
  const chosen = pick(urls, usePooler, flags.readOnly === true);
  if (flags.psql) return context.out.line(`psql '${chosen}'`);
  context.out.line(flags.jdbc ? jdbc(chosen) : chosen);
}

function pick(urls: DatabaseUrls, pooled: boolean, readOnly: boolean): string {
  if (pooled) return readOnly ? urls.pooled_read_only_url : urls.pooled_url;
  return readOnly ? urls.read_only_url : urls.connection_url;
}

/** The same as JDBC's driver wants it; prepareThreshold=0 keeps it from naming statements, which poolers before 1.21 lose. */
function jdbc(text: string): string {
  const { hostname, port, pathname, username, password, searchParams } = new URL(text);
  const parameters = new URLSearchParams([
    ["user", decodeURIComponent(username)],
    ["password", decodeURIComponent(password)],
    ...searchParams,
    ["prepareThreshold", "0"],
  ]);
  return `jdbc:postgresql://${hostname}:${port}${pathname}?${parameters.toString()}`;
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

export async function shell(context: Context, name: string, flags: { as?: string; replica?: boolean }): Promise<void> {
  if (flags.replica) throw new HomelabError("usage", "there is no replica on a cluster of one node");
  await openShell(await context.site(), name, flags.as);
}
