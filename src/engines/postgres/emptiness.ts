import * as ddl from "./ddl.ts";
import type { Session } from "./sessions.ts";

/** Schemas that every database of ours has: PostgreSQL's, and the pooler's. */
const OWN_SCHEMAS = "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgbouncer')";

const notOfExtension = (catalog: string) =>
  `NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass AND d.objid = o.oid AND d.deptype = 'e')`;

const inSchema = (catalog: string, prefix: string, more = "") =>
  `SELECT '${prefix} ' || n.nspname || '.' || o.${catalog === "pg_class" ? "relname" : catalog === "pg_proc" ? "proname" : "typname"} AS what
   FROM pg_catalog.${catalog} o JOIN pg_catalog.pg_namespace n ON n.oid = o.${catalog === "pg_class" ? "relnamespace" : catalog === "pg_proc" ? "pronamespace" : "typnamespace"}
   WHERE ${OWN_SCHEMAS} AND ${notOfExtension(catalog)} ${more}`;

const FIRST_OBJECT = `
  SELECT what FROM (
    ${inSchema("pg_class", "relation")}
    UNION ALL ${inSchema("pg_proc", "function")}
    UNION ALL ${inSchema("pg_type", "type", "AND o.typtype IN ('d', 'e', 'r')")}
    UNION ALL SELECT 'schema ' || n.nspname FROM pg_catalog.pg_namespace n
      WHERE ${OWN_SCHEMAS} AND n.nspname <> 'public' AND ${notOfExtension("pg_namespace").replace("o.oid", "n.oid")}
    UNION ALL SELECT 'large object ' || oid::text FROM pg_catalog.pg_largeobject_metadata
  ) found LIMIT 1`;

/** Something that is in a database beyond what provisioning made, such as `relation public.item`; undefined when it is empty. */
export async function firstObject(session: Session): Promise<string | undefined> {
  return (await session.query<{ what: string }>(FIRST_OBJECT))[0]?.what;
}

/**
 * Takes out everything that a load brought into a database that was empty before. Its extensions come back with the
 * schema public, as far as they were in it.
 */
export async function emptyAgain(session: Session, owner: string): Promise<void> {
  const schemas = await session.query<{ name: string }>(
    `SELECT n.nspname AS name FROM pg_catalog.pg_namespace n WHERE ${OWN_SCHEMAS} AND ${notOfExtension("pg_namespace").replace("o.oid", "n.oid")}`,
  );
  const extensions = await session.query<{ name: string }>(
    `SELECT e.extname AS name FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_roles r ON r.oid = e.extowner
     WHERE r.rolsuper AND e.extnamespace = 'public'::pg_catalog.regnamespace`,
  );
  await session.transaction([
    ...schemas.map(({ name }) => ddl.dropSchema(name)),
    "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata",
    ddl.createSchema("public", owner),
    ...extensions.map(({ name }) => ddl.createExtension(name)),
  ]);
}

/** What a database holds, for a person: rows as the statistics count them, which is exact for small tables. */
export async function countContents(session: Session): Promise<{ tables: number; rows: number }> {
  const [row] = await session.query<{ tables: number; rows: string }>(
    `SELECT count(*)::int AS tables, coalesce(sum(greatest(o.reltuples, 0)), 0)::bigint::text AS rows
     FROM pg_catalog.pg_class o JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace
     WHERE o.relkind = 'r' AND ${OWN_SCHEMAS} AND ${notOfExtension("pg_class")}`,
  );
  return { tables: row!.tables, rows: Number(row!.rows) };
}
