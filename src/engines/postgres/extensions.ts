import { HomelabError } from "../../core/errors.ts";
import { didYouMean } from "../../core/text.ts";
import type { Session } from "./sessions.ts";

/** Not trusted by PostgreSQL, and yet harmless to neighbours: they reach neither files nor the network nor other databases. */
const SAFE = new Set([
  "vector",
  "postgis",
  "postgis_topology",
  "postgis_raster",
  "timescaledb",
  "pg_stat_statements",
  "earthdistance",
  "bloom",
  "amcheck",
  "pgstattuple",
  "sslinfo",
  "xml2",
]);

/**
 * Lets through what PostgreSQL itself trusts to owners, and a list of harmless ones; the rest reach files, the network
 * or other databases, and would end the isolation of databases (security table, S44).
 * @throws HomelabError `not_found` or `not_allowed`
 */
export async function checkExtensions(session: Session, names: string[]): Promise<void> {
  const rows = await session.query<{ name: string; trusted: boolean }>(
    `SELECT e.name, bool_or(v.trusted) AS trusted FROM pg_catalog.pg_available_extensions e
     JOIN pg_catalog.pg_available_extension_versions v ON v.name = e.name GROUP BY e.name`,
  );
  const available = new Map(rows.map((row) => [row.name, row.trusted]));
  for (const name of names) {
    if (!available.has(name)) {
      const meant = didYouMean(name, [...available.keys()]);
      throw new HomelabError("not_found", `the extension ${name} is not installed on this machine`, {
        hint: meant ? `Did you mean ${meant}?` : `Debian has many as packages: apt search postgresql | grep ${name}`,
      });
    }
    if (!available.get(name) && !SAFE.has(name)) {
      throw new HomelabError("not_allowed", `the extension ${name} reaches beyond its database`, {
        hint: `If that is wanted: homelab db-shell <database> and CREATE EXTENSION ${name}.`,
      });
    }
  }
}

/** Those of these that an owner may not make by himself. */
export async function untrustedAmong(session: Session, names: string[]): Promise<string[]> {
  if (names.length === 0) return [];
  const rows = await session.query<{ name: string }>(
    `SELECT v.name FROM pg_catalog.pg_available_extension_versions v WHERE v.name = ANY($1)
     GROUP BY v.name HAVING NOT bool_or(v.trusted) ORDER BY v.name`,
    [names],
  );
  return rows.map(({ name }) => name);
}
