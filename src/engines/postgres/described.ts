import type { DatabaseLocale } from "./ddl.ts";
import type { Session } from "./sessions.ts";

/** What a database is beside what is in it: pg_dump leaves this to whoever creates the next one. */
export type DescribedDatabase = {
  oid: string;
  bytes: number;
  locale: DatabaseLocale;
  /** Settings of the database, as the catalog has them, and those of a role in it. */
  settings: string[];
  roleSettings: { role: string; settings: string[] }[];
  grants: { role: string; right: string; withOption: boolean }[];
};

// To JSON as a whole: the columns of a locale have other names in each version since 15.
const DESCRIBE = `
  SELECT d.oid::text, pg_catalog.pg_database_size(d.oid)::float8 AS bytes, pg_catalog.to_jsonb(d) AS row,
         pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
         coalesce((SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s WHERE s.setdatabase = d.oid AND s.setrole = 0), '{}') AS settings,
         coalesce((SELECT jsonb_agg(jsonb_build_object('role', r.rolname, 'settings', s.setconfig) ORDER BY r.rolname)
                   FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
                   WHERE s.setdatabase = d.oid), '[]') AS role_settings,
         coalesce((SELECT jsonb_agg(jsonb_build_object('role', r.rolname, 'right', a.privilege_type, 'withOption', a.is_grantable) ORDER BY r.rolname, a.privilege_type)
                   FROM pg_catalog.aclexplode(d.datacl) a JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
                   WHERE a.grantee <> d.datdba), '[]') AS grants
  FROM pg_catalog.pg_database d WHERE d.datname = $1`;

interface DescribedRow {
  oid: string;
  bytes: number;
  row: Record<string, string | null>;
  encoding: string;
  settings: string[];
  role_settings: DescribedDatabase["roleSettings"];
  grants: DescribedDatabase["grants"];
}

/** Describes a database; undefined when there is none of this name. */
export async function describeDatabase(session: Session, name: string): Promise<DescribedDatabase | undefined> {
  const [found] = await session.query<DescribedRow & Record<string, unknown>>(DESCRIBE, [name]);
  if (!found) return undefined;
  const { row } = found;
  return {
    oid: found.oid,
    bytes: found.bytes,
    locale: {
      encoding: found.encoding,
      collate: row["datcollate"]!,
      ctype: row["datctype"]!,
      provider: row["datlocprovider"] ?? "c",
      locale: row["daticulocale"] ?? row["datlocale"] ?? null,
    },
    settings: found.settings,
    roleSettings: found.role_settings,
    grants: found.grants,
  };
}

/** An extension, and the schema that it is in. */
export type InstalledExtension = { name: string; schema: string };

/** The extensions of a session's database, those left out that every database has. */
export const installedExtensions = (session: Session): Promise<InstalledExtension[]> =>
  session.query<InstalledExtension>(
    `SELECT e.extname AS name, n.nspname AS schema FROM pg_catalog.pg_extension e
     JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname <> 'plpgsql' ORDER BY e.oid`,
  );

/** A table with rows of its own, quoted. */
export type TableName = { schema: string; name: string; quoted: string };

/** The tables of a session's database: those of extensions, and the pooler's, are not an app's. */
export const ownTables = (session: Session): Promise<TableName[]> =>
  session.query<TableName>(
    `SELECT n.nspname AS schema, c.relname AS name, pg_catalog.format('%I.%I', n.nspname, c.relname) AS quoted
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname <> 'pgbouncer'
       AND n.nspname NOT LIKE 'pg\\_%'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                       WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e')
     ORDER BY 1, 2`,
  );

/** How many rows a table has of its own. */
export async function countRows(session: Session, table: TableName): Promise<number> {
  const [row] = await session.query<{ rows: string }>(`SELECT count(*)::text AS rows FROM ONLY ${table.quoted}`);
  return Number(row!.rows);
}

/** The roles that something in a session's database belongs to, or was granted to. */
export async function rolesInUse(session: Session): Promise<string[]> {
  const rows = await session.query<{ role: string }>(
    `SELECT DISTINCT r.rolname AS role FROM pg_catalog.pg_shdepend s
     JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
     JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid
     WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
       AND (s.dbid = d.oid OR (s.dbid = 0 AND s.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND s.objid = d.oid))
     ORDER BY 1`,
  );
  return rows.map(({ role }) => role);
}
