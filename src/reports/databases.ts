import { PLATFORM_DATABASE } from "../cluster/platform-roles.ts";
import { connectionUrl } from "../cluster/urls.ts";
import { HomelabError } from "../core/errors.ts";
import { printable } from "../core/text.ts";
import { listDatabases, type DatabaseRow } from "../engines/postgres/databases.ts";
import { isSystemDatabase } from "../engines/postgres/names.ts";
import { requireDatabase } from "../site/find-database.ts";
import { readCredentials, type Credentials } from "../site/credentials.ts";
import type { Site } from "../site/site.ts";
import { readSamples, type Samples } from "./samples.ts";

/** A database in a list: what the API answers. */
export interface DatabaseSummary {
  name: string;
  owner: string;
  /** From the sampler, so up to half a minute old; null for a database that it has not seen. */
  size_bytes: number | null;
  connections: number;
  /** Made by homelab: what others made is shown and never changed. */
  managed: boolean;
  protected: boolean;
  /** When the newest backup ended that it is in; null where there is none, or it is not known since when it exists. */
  last_backup_at: string | null;
}

/** A deleted database that can still be brought back. */
export interface DeletedDatabase {
  name: string;
  /** Under which it waits. */
  deleted_name: string;
  deleted_at: string;
  undelete_until: string;
  size_bytes: number | null;
}

/** The newest backup that can be relied on. */
export type NewestBackup = { stoppedAt: string } | undefined;

function summary(row: DatabaseRow, samples: Samples | undefined, newest: NewestBackup): DatabaseSummary {
  const createdAt = row.anchor?.createdAt;
  return {
    name: row.name,
    owner: row.owner,
    size_bytes: samples?.sizes[row.oid] ?? null,
    connections: row.connections,
    managed: row.anchor !== undefined,
    protected: row.anchor?.protected ?? isSystemDatabase(row.name),
    last_backup_at: newest && createdAt && createdAt < newest.stoppedAt ? newest.stoppedAt : null,
  };
}

/** What nobody's app lives in: the server's own database, and the platform's. */
const OWN = new Set(["postgres", PLATFORM_DATABASE]);

/** What a restore fills has no name of its own before it is whole. */
const isBeingRestored = (name: string): boolean => /^restoring-op_[0-9A-Z]{26}$/.test(name);

/** Every database, without the server's own and the platform's. */
export async function databaseList(site: Site, newest?: NewestBackup): Promise<DatabaseSummary[]> {
  const session = await (await site.postgres()).monitor();
  const [rows, samples] = await Promise.all([listDatabases(session), readSamples(site.topology.paths)]);
  const isShown = ({ name, anchor }: DatabaseRow) => !OWN.has(name) && !anchor?.deleted && !isBeingRestored(name);
  return rows.filter(isShown).map((row) => summary(row, samples, newest));
}

/** What was deleted and is not gone. */
export async function deletedList(site: Site): Promise<DeletedDatabase[]> {
  const session = await (await site.postgres()).monitor();
  const [rows, samples] = await Promise.all([listDatabases(session), readSamples(site.topology.paths)]);
  return rows
    .filter((row) => row.anchor?.deleted)
    .map((row) => ({
      name: row.anchor!.database,
      deleted_name: row.name,
      deleted_at: row.anchor!.deleted!.at,
      undelete_until: row.anchor!.deleted!.until,
      size_bytes: samples?.sizes[row.oid] ?? null,
    }));
}

/** One database, with everything but its passwords. */
export async function databaseDetails(site: Site, name: string, newest?: NewestBackup) {
  const session = await (await site.postgres()).monitor();
  const row = await requireDatabase(session, name);
  const [size] = await session.query<{ bytes: string }>("SELECT pg_catalog.pg_database_size($1::oid)::text AS bytes", [
    row.oid,
  ]);
  const { host } = site.topology.settings.network;
  const credentials = await readCredentials(site.topology.paths, name);
  return {
    ...summary(row, undefined, newest),
    size_bytes: Number(size!.bytes),
    host,
    port: site.topology.ports.direct,
    pooled_port: site.topology.ports.pooled,
    user: credentials?.app.user ?? null,
    read_only_user: credentials?.read_only.user ?? null,
    created_at: row.anchor?.createdAt ?? null,
    old_password_until: row.anchor?.rotation?.until ?? null,
  };
}

/** The ways into a database. Holds passwords. */
export interface DatabaseUrls {
  database: string;
  user: string;
  password: string;
  connection_url: string;
  pooled_url: string;
  read_only_url: string;
  pooled_read_only_url: string;
  host: string;
  port: number;
}

/** @throws HomelabError `not_found` when there is no such database, or its credentials are not here */
export async function databaseUrls(
  site: Site,
  name: string,
  host = site.topology.settings.network.host,
): Promise<DatabaseUrls> {
  const credentials = await readCredentials(site.topology.paths, name);
  if (!credentials) {
    const { anchor } = await requireDatabase(await (await site.postgres()).monitor(), name);
    throw new HomelabError("not_found", `the credentials of ${printable(name)} are not known here`, {
      hint: credentialsHint(name, anchor),
    });
  }
  return urlsOf(site, credentials, host);
}

function credentialsHint(name: string, anchor: DatabaseRow["anchor"]): string {
  if (!anchor) return "It was not made by homelab; homelab db-shell opens it.";
  if (anchor.restored)
    return `No app uses it yet: homelab db-shell opens it, homelab db switch-to ${name} puts it to use.`;
  if (anchor.replaced) return `It is kept closed: homelab db switch-back ${anchor.replaced.of} puts it to use again.`;
  return `Their file is gone; homelab db create ${name} makes new ones.`;
}

function urlsOf({ topology }: Site, { database, app, read_only }: Credentials, host: string): DatabaseUrls {
  return {
    database,
    user: app.user,
    password: app.password,
    connection_url: connectionUrl(topology, { database, ...app }, "direct", host),
    pooled_url: connectionUrl(topology, { database, ...app }, "pooled", host),
    read_only_url: connectionUrl(topology, { database, ...read_only }, "direct_read_only", host),
    pooled_read_only_url: connectionUrl(topology, { database, ...read_only }, "pooled_read_only", host),
    host,
    port: topology.ports.direct,
  };
}
