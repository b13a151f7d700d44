import { HomelabError } from "../../core/errors.ts";
import { scramVerifier, verifies } from "../../core/scram.ts";
import type { Secret } from "../../core/secret.ts";
import { LOOKUP_ROLE, MONITOR_ROLE, PLATFORM_DATABASE, PLATFORM_ROLE } from "../../cluster/platform-roles.ts";
import { LOOKUP_IS_THERE } from "./bootstrap.ts";
import * as ddl from "./ddl.ts";
import { findRoles } from "./roles.ts";
import type { PostgresSessions, Session } from "./sessions.ts";

/** How the platform database is to be. */
export interface PlatformDatabaseWish {
  password: Secret;
  /** Whether the pooler looks passwords up inside of each database. */
  lookupInside: boolean;
}

/** Connections of the role: each hub has a pool of eight, and one that listens. */
const CONNECTIONS = 50;

/** Marks the role as ours: one that somebody else made must not lose its password to us. */
const MARK = "homelab's own: it owns the platform database";

/**
 * Makes the role and the database, or brings them to what they should be. Repeatable.
 * @throws HomelabError `not_allowed` when somebody else made a role or a database of that name
 */
export async function makePlatformDatabase(sessions: PostgresSessions, wish: PlatformDatabaseWish): Promise<void> {
  const admin = await sessions.admin();
  await makeRole(admin, wish.password);
  const owner = await ownerOf(admin);
  if (owner === undefined) await admin.query(ddl.createPlatformDatabase(PLATFORM_DATABASE, PLATFORM_ROLE));
  else if (owner !== PLATFORM_ROLE) throw taken(`the database ${PLATFORM_DATABASE}`);
  const enter = [MONITOR_ROLE, ...(wish.lookupInside ? [LOOKUP_ROLE] : [])];
  await sessions.within(PLATFORM_DATABASE, (session) =>
    session.transaction([
      ddl.revokeAllFromPublic(PLATFORM_DATABASE),
      ddl.grantConnect(PLATFORM_DATABASE, enter),
      ...ddl.ownSchema(PLATFORM_ROLE),
      ...(wish.lookupInside ? ddl.lookupFunction(LOOKUP_ROLE) : []),
      // Nobody was let in since CREATE DATABASE.
      ddl.limitConnections(PLATFORM_DATABASE, -1),
    ]),
  );
}

/** Whether the role can log in with its password, and the database is its own and closed to others. */
export async function isPlatformDatabaseMade(
  sessions: PostgresSessions,
  { password, lookupInside }: PlatformDatabaseWish,
): Promise<boolean> {
  const admin = await sessions.admin();
  const role = (await findRoles(admin, [PLATFORM_ROLE])).get(PLATFORM_ROLE);
  if (!role?.canLogin || role.superuser || !(await isMarked(admin))) return false;
  if (!(await verifies(password.reveal(), role.verifier))) return false;
  if ((await ownerOf(admin)) !== PLATFORM_ROLE || !(await isClosed(admin, lookupInside))) return false;
  return sessions.within(PLATFORM_DATABASE, async (session) => {
    const [row] = await session.query<{ schema: boolean; lookup: boolean }>(
      `SELECT coalesce((SELECT r.rolname = $1 AND NOT pg_catalog.has_schema_privilege('public', n.oid, 'USAGE')
                        FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
                        WHERE n.nspname = 'public'), false) AS schema,
              ${lookupInside ? LOOKUP_IS_THERE : "true"} AS lookup`,
      [PLATFORM_ROLE],
    );
    return row!.schema && row!.lookup;
  });
}

/** Whether there is no such database at all: somebody dropped it. */
export const isPlatformDatabaseGone = async (sessions: PostgresSessions): Promise<boolean> =>
  (await ownerOf(await sessions.admin())) === undefined;

async function makeRole(admin: Session, password: Secret): Promise<void> {
  const verifier = await scramVerifier(password.reveal());
  if (!(await findRoles(admin, [PLATFORM_ROLE])).has(PLATFORM_ROLE)) {
    const made = ddl.createLogin(PLATFORM_ROLE, verifier, CONNECTIONS);
    return admin.transaction([made, ddl.commentOnRole(PLATFORM_ROLE, MARK)]);
  }
  if (!(await isMarked(admin))) throw taken(`the role ${PLATFORM_ROLE}`);
  return admin.transaction([ddl.makeHarmless(PLATFORM_ROLE), ddl.setPassword(PLATFORM_ROLE, verifier)]);
}

const taken = (what: string): HomelabError =>
  new HomelabError(
    "not_allowed",
    `${what} exists and was not made by homelab, which keeps its own records under that name`,
    {
      hint: "Rename it, or give the platform a database elsewhere with JARVIS_DATABASE_URL.",
    },
  );

async function isMarked(admin: Session): Promise<boolean> {
  const rows = await admin.query<{ comment: string | null }>(
    "SELECT pg_catalog.shobj_description(oid, 'pg_authid') AS comment FROM pg_catalog.pg_roles WHERE rolname = $1",
    [PLATFORM_ROLE],
  );
  return rows[0]?.comment === MARK;
}

async function ownerOf(admin: Session): Promise<string | undefined> {
  const rows = await admin.query<{ owner: string }>(
    `SELECT r.rolname AS owner FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid = d.datdba
     WHERE d.datname = $1`,
    [PLATFORM_DATABASE],
  );
  return rows[0]?.owner;
}

async function isClosed(admin: Session, lookupInside: boolean): Promise<boolean> {
  const rows = await admin.query<{ closed: boolean }>(
    `SELECT datconnlimit <> 0 AND datallowconn AND NOT pg_catalog.has_database_privilege('public', oid, 'CONNECT')
            AND pg_catalog.has_database_privilege($2, oid, 'CONNECT')
            AND (NOT $4 OR pg_catalog.has_database_privilege($3, oid, 'CONNECT')) AS closed
     FROM pg_catalog.pg_database WHERE datname = $1`,
    [PLATFORM_DATABASE, MONITOR_ROLE, LOOKUP_ROLE, lookupInside],
  );
  return rows[0]?.closed === true;
}
