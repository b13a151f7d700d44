import type { Session } from "./sessions.ts";

/** A role as the catalog has it. */
export interface RoleRow {
  name: string;
  canLogin: boolean;
  superuser: boolean;
  connectionLimit: number;
  validUntil: string | null;
  settings: string[];
  memberOf: string[];
  /** The stored verifier; only a superuser's session can read it. */
  verifier: string | null;
}

const ROLES = `
  SELECT r.rolname AS name, r.rolcanlogin AS "canLogin", r.rolsuper AS superuser, r.rolconnlimit AS "connectionLimit",
         r.rolvaliduntil::text AS "validUntil", coalesce(r.rolconfig, '{}') AS settings, a.rolpassword AS verifier,
         coalesce((SELECT array_agg(m.roleid::regrole::text) FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid), '{}') AS "memberOf"
  FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_authid a ON a.oid = r.oid
  WHERE r.rolname = ANY($1)`;

/** The roles of these names that exist. Needs a superuser's session (it reads the verifiers). */
export async function findRoles(session: Session, names: string[]): Promise<Map<string, RoleRow>> {
  const rows = await session.query<RoleRow & Record<string, unknown>>(ROLES, [names]);
  return new Map(rows.map((row) => [row.name, row]));
}

/** Ends the sessions of a role; answers how many there were. */
export async function endRoleSessions(session: Session, role: string): Promise<number> {
  const rows = await session.query(
    "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = $1",
    [role],
  );
  return rows.length;
}
