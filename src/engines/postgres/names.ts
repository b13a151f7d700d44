import { createHash } from "node:crypto";
import { PLATFORM_DATABASE } from "../../cluster/platform-roles.ts";
import { HomelabError } from "../../core/errors.ts";
import { printable } from "../../core/text.ts";

/** PostgreSQL's limit for a name (NAMEDATALEN − 1), in bytes. */
const NAME_LIMIT = 63;
const CREATED_NAME = /^[a-z][a-z0-9_]{0,62}$/;
const RESERVED = new Set([
  "postgres",
  "pgbouncer",
  "none",
  "public",
  "all",
  "replication",
  "user",
  "session_user",
  "current_user",
  "current_role",
]);

/** Databases that the platform or PostgreSQL itself lives on: nobody deletes them by name. */
export const isSystemDatabase = (name: string): boolean =>
  name === "postgres" || name.startsWith("template") || name === PLATFORM_DATABASE;

/**
 * Refuses a name that we would not create, with a suggestion: two long names must not collide by truncation, and no
 * name may mean something else to an engine (faults: F92).
 * @throws HomelabError `name_refused`
 */
export function checkCreatedName(name: string): void {
  const reason = refusal(name);
  if (!reason) return;
  const suggestion = suggest(name);
  throw new HomelabError("name_refused", `"${printable(name.slice(0, 80))}" ${reason}`, {
    hint: suggestion ? `${suggestion} would do.` : "Use lower-case letters, digits and underscores, a letter first.",
  });
}

function refusal(name: string): string | undefined {
  if (name.length > NAME_LIMIT) return `is longer than ${NAME_LIMIT} characters`;
  if (!CREATED_NAME.test(name))
    return "may hold only lower-case letters, digits and underscores, and must begin with a letter";
  if (RESERVED.has(name) || name.startsWith("pg_") || name.startsWith("template"))
    return "is reserved by PostgreSQL or PgBouncer";
  if (isSystemDatabase(name)) return "is the platform's own";
  return undefined;
}

/** The nearest name that would do, or undefined. */
function suggest(name: string): string | undefined {
  const plain = name
    .slice(0, 4 * NAME_LIMIT)
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, "_")
    .replace(/^[^a-z]+|_+$/g, "")
    .slice(0, NAME_LIMIT);
  const free = refusal(plain) ? `${plain.slice(0, NAME_LIMIT - 3).replace(/^pg_|^template/, "")}_db` : plain;
  return refusal(free) ? undefined : free;
}

/** The roles that belong to one database. */
export interface DatabaseRoles {
  /** Owns the database and all that the app creates; cannot log in. */
  owner: string;
  /** The app logs in as one of these two; a rotation changes over to the other. */
  app: string;
  appAlternate: string;
  readOnly: string;
}

/** The roles of a database that we made. No two databases share one: the suffixes cannot be confused. */
export function rolesOf(database: string): DatabaseRoles {
  return {
    owner: roleName(database, "owner"),
    app: roleName(database, "app"),
    appAlternate: roleName(database, "app_b"),
    readOnly: roleName(database, "ro"),
  };
}

/** The login that fills a database while nobody else may enter it; it goes when that is done. */
export const loaderOf = (database: string): string => roleName(database, "load");

/**
 * `<database>_<suffix>`; a name that would not fit is cut and marked with a hash of the whole. It then begins with an
 * underscore, which no name that we create does: nobody can make a database whose roles would be another's.
 */
function roleName(database: string, suffix: string): string {
  const whole = `${database}_${suffix}`;
  if (Buffer.byteLength(whole) <= NAME_LIMIT) return whole;
  const hash = createHash("sha256").update(database).digest("hex").slice(0, 10);
  let head = Array.from(database.slice(0, NAME_LIMIT));
  const cut = () => `_${head.join("")}_${hash}_${suffix}`;
  while (Buffer.byteLength(cut()) > NAME_LIMIT) head = head.slice(0, -1);
  return cut();
}

/**
 * The name under which a deleted database waits: no name that we create can look like it, and the same name deleted
 * twice within a second waits under two.
 */
export function deletedName(database: string, at: Date): string {
  const stamp = at.toISOString().replace(/[-:T]/g, "").slice(0, 14);
  const hash = createHash("sha256").update(`${database} ${at.getTime()}`).digest("hex").slice(0, 8);
  return `deleted-${stamp}-${hash}`;
}
