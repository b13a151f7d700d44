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
import { table } from "../output.ts";

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
  /** True for --env behind the verb; a text is the global flag, the name of an overlay. */
  env?: boolean | string;
  psql?: boolean;
  jdbc?: boolean;
  host?: string;
}

export async function url(context: Context, name: string, flags: UrlFlags): Promise<void> {
  const site = await context.site();
  const urls = await databaseUrls(site, name, flags.host);
  if (context.flags.json) return context.out.json(urls);
  if (flags.env === true) {
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

export async function shell(context: Context, name: string, flags: { as?: string; replica?: boolean }): Promise<void> {
  if (flags.replica) throw new HomelabError("usage", "there is no replica on a cluster of one node");
  await openShell(await context.site(), name, flags.as);
}
