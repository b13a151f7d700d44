import { scramVerifier } from "../../core/scram.ts";
import type { Secrets } from "../../config/secrets.ts";
import { LOOKUP_ROLE, MONITOR_ROLE } from "../../cluster/platform-roles.ts";
import { createLogin, grantConnect, grantRole, lookupFunction, revokeAllFromPublic, setPassword } from "./ddl.ts";
import { findRoles } from "./roles.ts";
import type { PostgresSessions, Session } from "./sessions.ts";

/** The platform's own roles, and the secret of each. */
const PLATFORM_LOGINS = [
  { role: LOOKUP_ROLE, secret: "pooler_auth", limit: -1, member: undefined },
  { role: MONITOR_ROLE, secret: "monitor", limit: 10, member: "pg_monitor" },
] as const;

/** Makes the platform's roles, closes the maintenance databases to everybody else, and installs the pooler's lookup. Repeatable. */
export async function bootstrapPostgres(sessions: PostgresSessions, secrets: Secrets): Promise<void> {
  const admin = await sessions.admin();
  const known = await findRoles(
    admin,
    PLATFORM_LOGINS.map(({ role }) => role),
  );
  for (const { role, secret, limit, member } of PLATFORM_LOGINS) {
    const verifier = await scramVerifier(secrets[secret].reveal());
    await admin.query(known.has(role) ? setPassword(role, verifier) : createLogin(role, verifier, limit));
    if (member) await admin.query(grantRole(member, role));
  }
  for (const database of ["postgres", "template1"]) await admin.query(revokeAllFromPublic(database));
  await admin.query(
    grantConnect(
      "postgres",
      PLATFORM_LOGINS.map(({ role }) => role),
    ),
  );
  await installLookup(admin);
}

/** The pooler's lookup, in the database of this session. */
export const installLookup = (session: Session): Promise<void> => session.transaction(lookupFunction(LOOKUP_ROLE));

/** Whether the platform's roles can log in and the lookup is there. */
export async function isBootstrapped(sessions: PostgresSessions): Promise<boolean> {
  const admin = await sessions.admin();
  const roles = await findRoles(
    admin,
    PLATFORM_LOGINS.map(({ role }) => role),
  );
  const ready = PLATFORM_LOGINS.every(({ role }) => roles.get(role)?.canLogin && roles.get(role)?.verifier != null);
  return ready && (await hasLookup(admin)) && (await isClosed(admin));
}

/** Whether the pooler's lookup is in the database of this session, as a SECURITY DEFINER function of the superuser: an expression. */
export const LOOKUP_IS_THERE = `EXISTS (
  SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_authid o ON o.oid = p.proowner
  WHERE p.oid = pg_catalog.to_regprocedure('pgbouncer.user_lookup(pg_catalog.text)') AND p.prosecdef AND o.rolsuper)`;

async function hasLookup(session: Session): Promise<boolean> {
  const [row] = await session.query<{ there: boolean }>(`SELECT ${LOOKUP_IS_THERE} AS there`);
  return row!.there;
}

async function isClosed(session: Session): Promise<boolean> {
  const rows = await session.query<{ open: boolean }>(
    "SELECT bool_or(pg_catalog.has_database_privilege('public', oid, 'CONNECT')) AS open FROM pg_catalog.pg_database WHERE datname IN ('postgres', 'template1')",
  );
  return rows[0]?.open === false;
}
