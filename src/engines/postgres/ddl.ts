import { escapeIdentifier as id, escapeLiteral as text } from "pg";

/*
 * Every statement that changes roles or databases is built here and nowhere else: identifiers and literals are quoted
 * by the driver's own functions, and a password only ever appears as a SCRAM verifier.
 */

/** What a role of an app may be: nothing that reaches beyond its database. */
const HARMLESS = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS";

export const createOwner = (role: string) => `CREATE ROLE ${id(role)} NOLOGIN ${HARMLESS}`;

/** A login; `member` is the role whose rights it inherits. */
export function createLogin(role: string, verifier: string, connectionLimit: number, member?: string): string {
  const inRole = member ? ` IN ROLE ${id(member)}` : "";
  return `CREATE ROLE ${id(role)} LOGIN ${HARMLESS} CONNECTION LIMIT ${Math.trunc(connectionLimit)} PASSWORD ${text(verifier)}${inRole}`;
}

export const makeHarmless = (role: string) => `ALTER ROLE ${id(role)} ${HARMLESS}`;
export const setPassword = (role: string, verifier: string) =>
  `ALTER ROLE ${id(role)} LOGIN PASSWORD ${text(verifier)} VALID UNTIL 'infinity'`;
export const setValidUntil = (role: string, until: Date) =>
  `ALTER ROLE ${id(role)} VALID UNTIL ${text(until.toISOString())}`;
export const disableLogin = (role: string) => `ALTER ROLE ${id(role)} NOLOGIN PASSWORD NULL`;
export const setConnectionLimit = (role: string, limit: number) =>
  `ALTER ROLE ${id(role)} CONNECTION LIMIT ${Math.trunc(limit)}`;
export const setForRole = (role: string, setting: string, value: string) =>
  `ALTER ROLE ${id(role)} SET ${id(setting)} = ${text(value)}`;

/** Settings that are lists: given as one literal, `a, b` would become a single name (pg_dump's dumputils.c has the same). */
const LISTS = new Set(["search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries"]);

/** A setting as the catalog has it (`search_path=app, "My Schema"`), to be set elsewhere. */
function assignment(stored: string): string {
  const at = stored.indexOf("=");
  const [setting, value] = [stored.slice(0, at), stored.slice(at + 1)];
  if (!LISTS.has(setting)) return `SET ${id(setting)} = ${text(value)}`;
  const items = value.match(/"(?:[^"]|"")*"|[^",\s]+/g) ?? [""];
  const plain = items.map((item) => (item.startsWith('"') ? item.slice(1, -1).replaceAll('""', '"') : item));
  return `SET ${id(setting)} = ${plain.map(text).join(", ")}`;
}

/** A setting of another role; with a database, only for sessions in that. */
export const copySetting = (role: string, stored: string, database?: string): string =>
  `ALTER ROLE ${id(role)} ${database === undefined ? "" : `IN DATABASE ${id(database)} `}${assignment(stored)}`;

/** A setting of another database. */
export const copyDatabaseSetting = (database: string, stored: string): string =>
  `ALTER DATABASE ${id(database)} ${assignment(stored)}`;

export const grantRole = (role: string, to: string) => `GRANT ${id(role)} TO ${id(to)}`;
export const commentOnRole = (role: string, comment: string) => `COMMENT ON ROLE ${id(role)} IS ${text(comment)}`;
export const renameRole = (role: string, to: string) => `ALTER ROLE ${id(role)} RENAME TO ${id(to)}`;
export const dropRole = (role: string) => `DROP ROLE IF EXISTS ${id(role)}`;
export const dropOwned = (role: string) => `DROP OWNED BY ${id(role)} CASCADE`;

/** Nobody but a superuser gets in: PUBLIC may connect to a new database until that was taken from it. */
export const createDatabase = (name: string, owner: string, template: string) =>
  `CREATE DATABASE ${id(name)} OWNER ${id(owner)} TEMPLATE ${id(template)} STRATEGY wal_log CONNECTION LIMIT 0`;
/** The platform's own, in UTF-8 whatever the cluster's own encoding is. */
export const createPlatformDatabase = (name: string, owner: string) =>
  `CREATE DATABASE ${id(name)} OWNER ${id(owner)} TEMPLATE template0 ENCODING 'UTF8' STRATEGY wal_log CONNECTION LIMIT 0`;
/** How a database sorts and encodes text. */
export type DatabaseLocale = {
  encoding: string;
  collate: string;
  ctype: string;
  /** `c` for libc, `i` for ICU, `b` for PostgreSQL's own. */
  provider: string;
  /** The locale of a provider other than libc. */
  locale: string | null;
};

function localeClauses({ encoding, collate, ctype, provider, locale }: DatabaseLocale): string {
  const libc = `ENCODING ${text(encoding)} LC_COLLATE ${text(collate)} LC_CTYPE ${text(ctype)}`;
  if (provider === "i") return `${libc} LOCALE_PROVIDER icu ICU_LOCALE ${text(locale ?? "")}`;
  return provider === "b" ? `${libc} LOCALE_PROVIDER builtin BUILTIN_LOCALE ${text(locale ?? "")}` : libc;
}

/** An empty database that sorts and encodes as another one does; nobody but a superuser gets in. */
export const createDatabaseLike = (name: string, owner: string, locale: DatabaseLocale) =>
  `CREATE DATABASE ${id(name)} OWNER ${id(owner)} TEMPLATE template0 STRATEGY wal_log CONNECTION LIMIT 0 ${localeClauses(locale)}`;
export const renameDatabase = (name: string, to: string) => `ALTER DATABASE ${id(name)} RENAME TO ${id(to)}`;
export const limitConnections = (name: string, limit: number) =>
  `ALTER DATABASE ${id(name)} CONNECTION LIMIT ${Math.trunc(limit)}`;
export const allowConnections = (name: string, allow: boolean) =>
  `ALTER DATABASE ${id(name)} ALLOW_CONNECTIONS ${allow}`;
/** A setting of ALTER SYSTEM goes; what is in the configuration files holds again. */
export const resetSystem = (setting: string) => `ALTER SYSTEM RESET ${id(setting)}`;
export const dropDatabase = (name: string) => `DROP DATABASE IF EXISTS ${id(name)} WITH (FORCE)`;
export const revokeAllFromPublic = (name: string) => `REVOKE ALL ON DATABASE ${id(name)} FROM PUBLIC`;
export const grantConnect = (name: string, roles: string[]) =>
  `GRANT CONNECT ON DATABASE ${id(name)} TO ${roles.map(id).join(", ")}`;

export const revokeConnect = (name: string, roles: string[]) =>
  `REVOKE CONNECT ON DATABASE ${id(name)} FROM ${roles.map(id).join(", ")}`;

export const dropSchema = (name: string) => `DROP SCHEMA IF EXISTS ${id(name)} CASCADE`;

/** A table of a schema, as statements name it. */
export const tableName = ({ schema, table }: { schema: string; table: string }) => `${id(schema)}.${id(table)}`;

/** How a trigger fires, as pg_trigger.tgenabled has it. */
export type TriggerState = "O" | "D" | "R" | "A";
const TRIGGER_STATES = { O: "ENABLE", D: "DISABLE", R: "ENABLE REPLICA", A: "ENABLE ALWAYS" };
export const setTrigger = (table: { schema: string; table: string }, trigger: string, state: TriggerState) =>
  `ALTER TABLE ONLY ${tableName(table)} ${TRIGGER_STATES[state]} TRIGGER ${id(trigger)}`;

/** Inside a database: schema public for the owner alone. */
export const ownSchema = (owner: string) => [
  "REVOKE ALL ON SCHEMA public FROM PUBLIC",
  `ALTER SCHEMA public OWNER TO ${id(owner)}`,
];

/** Inside a database: schema public for the owner and its readers alone, and what the owner creates later is readable too. */
export function schemaPrivileges(owner: string, readOnly: string): string[] {
  const defaults = `ALTER DEFAULT PRIVILEGES FOR ROLE ${id(owner)}`;
  return [
    ...ownSchema(owner),
    `GRANT USAGE ON SCHEMA public TO ${id(readOnly)}`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${id(readOnly)}`,
    `GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO ${id(readOnly)}`,
    `${defaults} GRANT SELECT ON TABLES TO ${id(readOnly)}`,
    `${defaults} GRANT SELECT ON SEQUENCES TO ${id(readOnly)}`,
    `${defaults} GRANT USAGE ON SCHEMAS TO ${id(readOnly)}`,
  ];
}

const RIGHT_TO_DATABASE = /^(CREATE|TEMPORARY|CONNECT)$/;

/** A right to a database, as another one has it. @throws Error for a word that is no such right */
export function grantOnDatabase(name: string, right: string, role: string, withOption: boolean): string {
  if (!RIGHT_TO_DATABASE.test(right)) throw new Error(`${right} is no right to a database`);
  return `GRANT ${right} ON DATABASE ${id(name)} TO ${id(role)}${withOption ? " WITH GRANT OPTION" : ""}`;
}

export const reassignOwned = (role: string, to: string) => `REASSIGN OWNED BY ${id(role)} TO ${id(to)}`;
export const createSchema = (name: string, owner: string) =>
  `CREATE SCHEMA IF NOT EXISTS ${id(name)} AUTHORIZATION ${id(owner)}`;
export const createExtensionIn = (name: string, schema: string) =>
  `CREATE EXTENSION IF NOT EXISTS ${id(name)} WITH SCHEMA ${id(schema)} CASCADE`;

export const createExtension = (name: string) =>
  `CREATE EXTENSION IF NOT EXISTS ${id(name)} WITH SCHEMA public CASCADE`;

/**
 * The pooler's lookup of a login's verifier: one function that a single role may call, closed to superusers, to
 * replication, to rewind (it reads any file of the server) and to expired roles (PgBouncer manual, "auth_query";
 * CVE-2025-2291). Whoever made a schema of this name before us loses it: its owner could answer for every login.
 */
export function lookupFunction(caller: string): string[] {
  return [
    "CREATE SCHEMA IF NOT EXISTS pgbouncer AUTHORIZATION postgres",
    "ALTER SCHEMA pgbouncer OWNER TO postgres",
    "REVOKE ALL ON SCHEMA pgbouncer FROM PUBLIC",
    `GRANT USAGE ON SCHEMA pgbouncer TO ${id(caller)}`,
    // A function that somebody else made would stay theirs, were it only replaced.
    "DROP FUNCTION IF EXISTS pgbouncer.user_lookup(text) CASCADE",
    `CREATE FUNCTION pgbouncer.user_lookup(IN i_username text, OUT uname text, OUT phash text) RETURNS record
     LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $lookup$
       SELECT rolname::text, rolpassword FROM pg_catalog.pg_authid
       WHERE rolname = i_username AND rolcanlogin AND NOT rolsuper AND NOT rolreplication AND rolname <> 'rewind'
         AND (rolvaliduntil IS NULL OR rolvaliduntil > pg_catalog.now())
     $lookup$`,
    "REVOKE ALL ON FUNCTION pgbouncer.user_lookup(text) FROM PUBLIC",
    `GRANT EXECUTE ON FUNCTION pgbouncer.user_lookup(text) TO ${id(caller)}`,
  ];
}
