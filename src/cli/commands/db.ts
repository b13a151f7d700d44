import { printable } from "../../core/text.ts";
import { formatBytes } from "../../core/units.ts";
import type { Body } from "../api/contract.ts";
import type { Context } from "../context.ts";
import { noteStale, table } from "../output.ts";
import { settingOf } from "../setting.ts";

export async function list(context: Context, flags: { deleted?: boolean }): Promise<void> {
  if (flags.deleted) return listDeleted(context);
  const page = await (await context.api()).list("GET /api/databases", {});
  if (context.flags.json) return context.out.json(page);
  const cells = page.items.map((row) => [
    printable(row.name),
    printable(row.owner),
    row.size_bytes === null ? "-" : formatBytes(row.size_bytes),
    String(row.connections),
    [row.managed ? "" : "not made by homelab", row.protected ? "protected" : ""].filter(Boolean).join(", ") || "-",
  ]);
  table(context.out, ["NAME", "OWNER", "SIZE", "CONN", "NOTE"], cells);
  if (page.items.length === 0) context.out.note("No database yet: homelab db create <name>");
  noteStale(context.out, page);
}

async function listDeleted(context: Context): Promise<void> {
  const page = await (await context.api()).list("GET /api/deleted-databases", {});
  if (context.flags.json) return context.out.json(page);
  table(
    context.out,
    ["NAME", "DELETED", "CAN BE BROUGHT BACK UNTIL", "WAITS AS"],
    page.items.map((row) => [printable(row.name), row.deleted_at, row.undelete_until, row.deleted_name]),
  );
  if (page.items.length === 0) context.out.note("Nothing is deleted.");
  noteStale(context.out, page);
}

export async function show(context: Context, name: string): Promise<void> {
  const details = await (await context.api()).call("GET /api/databases/{name}", { params: { name } });
  if (context.flags.json) return context.out.json(details);
  const { observed_at: _at, stale: _stale, ...facts } = details;
  for (const [key, value] of Object.entries(facts)) {
    const text =
      key === "size_bytes" && typeof value === "number" ? formatBytes(value) : printable(String(value ?? "-"));
    context.out.line(`${key.replaceAll("_", " ").replace(" bytes", "").padEnd(20)} ${text}`);
  }
  noteStale(context.out, details);
}

/** Which of the URLs, and in which form. */
interface UrlFlags {
  pooled?: boolean;
  direct?: boolean;
  readOnly?: boolean;
  /** True for --env behind the verb; a text is the global flag, the name of an overlay. */
  env?: boolean | string;
  psql?: boolean;
  jdbc?: boolean;
  host?: string;
}

type Access = Body<"GET /api/databases/{name}/url">;

export async function url(context: Context, name: string, flags: UrlFlags): Promise<void> {
  const query = { host: flags.host };
  const urls = await (await context.api()).call("GET /api/databases/{name}/url", { params: { name }, query });
  if (context.flags.json) return context.out.json(urls);
  if (flags.env === true) {
    context.out.line(`DATABASE_URL=${urls.pooled_url}`);
    return context.out.line(`DIRECT_URL=${urls.connection_url}`);
  }
  const usePooler = flags.pooled ?? (!flags.direct && (await settingOf(context, "database.use_pooler")) !== false);
  const chosen = pick(urls, usePooler, flags.readOnly === true);
  if (flags.psql) return context.out.line(`psql '${chosen}'`);
  context.out.line(flags.jdbc ? jdbc(chosen) : chosen);
}

function pick(urls: Access, pooled: boolean, readOnly: boolean): string {
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
