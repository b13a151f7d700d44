import { readAnchor, type Anchor } from "./anchor.ts";
import { rolesOf } from "./names.ts";
import type { Session } from "./sessions.ts";

/** A database as the catalog has it. */
export interface DatabaseRow {
  name: string;
  oid: string;
  owner: string;
  connections: number;
  allowsConnections: boolean;
  connectionLimit: number;
  isTemplate: boolean;
  /** What we know of it, when it is one of ours; then also the role that carries the anchor. */
  anchor: Anchor | undefined;
  anchorRole: string | undefined;
}

interface CatalogRow {
  name: string;
  oid: string;
  owner: string;
  connections: number;
  allows: boolean;
  connection_limit: number;
  is_template: boolean;
}

/** The count of connections by its own function: the view pg_stat_database would join every database to itself again. */
const COLUMNS = `
  d.datname AS name, d.oid::text, r.rolname AS owner, d.datallowconn AS allows, d.datconnlimit AS connection_limit,
  d.datistemplate AS is_template, pg_catalog.pg_stat_get_db_numbackends(d.oid) AS connections`;

const DATABASES = `
  SELECT ${COLUMNS}
  FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid = d.datdba
  ORDER BY d.datname`;

const DATABASE = `
  SELECT ${COLUMNS}, (SELECT pg_catalog.shobj_description(a.oid, 'pg_authid') FROM pg_catalog.pg_roles a WHERE a.rolname = $2) AS comment
  FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid = d.datdba
  WHERE d.datname = $1`;

const ANCHORS = `
  SELECT r.rolname AS role, c.description AS comment
  FROM pg_catalog.pg_shdescription c
  JOIN pg_catalog.pg_roles r ON r.oid = c.objoid
  WHERE c.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND c.description LIKE 'homelab {%'`;

/** Every database of the server, templates left out, without sizes: those cost a stat of every file. */
export async function listDatabases(session: Session): Promise<DatabaseRow[]> {
  const [rows, anchors] = await Promise.all([session.query<CatalogRow>(DATABASES), anchorsByDatabase(session)]);
  return rows.filter((row) => !row.is_template).map((row) => withAnchor(row, anchors));
}

/** One database, or undefined. */
export async function findDatabase(session: Session, name: string): Promise<DatabaseRow | undefined> {
  const role = rolesOf(name).app;
  const [row] = await session.query<CatalogRow & { comment: string | null }>(DATABASE, [name, role]);
  const anchor = readAnchor(row?.comment ?? null);
  return row && withAnchor(row, new Map(anchor ? [[name, { role, anchor }]] : []));
}

/** Whether there is a database of this name, whoever made it. */
export async function databaseExists(session: Session, name: string): Promise<boolean> {
  return (await session.query("SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1", [name])).length > 0;
}

/** What we know of a database, if it is ours; asked of its one role, so that a thousand others cost nothing. */
export async function findAnchor(session: Session, name: string): Promise<Anchor | undefined> {
  const rows = await session.query<{ comment: string | null }>(
    "SELECT pg_catalog.shobj_description(oid, 'pg_authid') AS comment FROM pg_catalog.pg_roles WHERE rolname = $1",
    [rolesOf(name).app],
  );
  const anchor = readAnchor(rows[0]?.comment ?? null);
  return anchor && currentName(anchor) === name ? anchor : undefined;
}

/** The name that a database of ours has now. */
const currentName = (anchor: Anchor): string => anchor.deleted?.name ?? anchor.database;

type Anchors = Map<string, { role: string; anchor: Anchor }>;

/** Anchors by the name that the database has now. */
async function anchorsByDatabase(session: Session): Promise<Anchors> {
  const rows = await session.query<{ role: string; comment: string }>(ANCHORS);
  const found: Anchors = new Map();
  for (const { role, comment } of rows) {
    const anchor = readAnchor(comment);
    if (anchor) found.set(currentName(anchor), { role, anchor });
  }
  return found;
}

function withAnchor(row: CatalogRow, anchors: Anchors): DatabaseRow {
  const known = anchors.get(row.name);
  return {
    name: row.name,
    oid: row.oid,
    owner: row.owner,
    connections: row.connections,
    allowsConnections: row.allows,
    connectionLimit: row.connection_limit,
    isTemplate: row.is_template,
    anchor: known?.anchor,
    anchorRole: known?.role,
  };
}

/** Ends every session of a database but our own; answers how many there were. */
export async function endSessions(session: Session, database: string): Promise<number> {
  const rows = await session.query<{ ended: boolean }>(
    `SELECT pg_catalog.pg_terminate_backend(pid) AS ended FROM pg_catalog.pg_stat_activity
     WHERE datname = $1 AND pid <> pg_catalog.pg_backend_pid() AND backend_type <> 'autovacuum worker'`,
    [database],
  );
  return rows.length;
}

/** The bytes of each database, for the sampler: it takes about a millisecond a database. */
export async function databaseSizes(session: Session): Promise<Record<string, number>> {
  const rows = await session.query<{ oid: string; bytes: string }>(
    "SELECT oid::text, pg_catalog.pg_database_size(oid)::text AS bytes FROM pg_catalog.pg_database",
  );
  return Object.fromEntries(rows.map((row) => [row.oid, Number(row.bytes)]));
}
