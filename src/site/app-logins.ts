import { readdir, rename } from "node:fs/promises";
import type { HomePaths } from "../cluster/home.ts";
import { scramVerifier, verifies } from "../core/scram.ts";
import { anchorComment, type Anchor } from "../engines/postgres/anchor.ts";
import { listDatabases, type DatabaseRow } from "../engines/postgres/databases.ts";
import * as ddl from "../engines/postgres/ddl.ts";
import { rolesOf } from "../engines/postgres/names.ts";
import { findRoles, type RoleRow } from "../engines/postgres/roles.ts";
import type { Session } from "../engines/postgres/sessions.ts";
import { exists, readJson } from "../host/files.ts";
import { credentialsPath, type Credentials } from "./credentials.ts";

/** What became of the apps' logins after the cluster went to another moment. */
export type MendedLogins = {
  /** Databases whose passwords were brought to what their apps have. */
  mended: string[];
  /** Databases that are there, and whose passwords nobody knows here. */
  unknown: string[];
  /** Databases whose credentials are here, and which are not there (any more, or yet). */
  absent: string[];
};

/**
 * Brings every login of ours to what the credentials files say: apps have those passwords, whatever moment the cluster
 * went to. What a file does not name can no longer log in: its password had ended. Files are moved where a database has
 * another name now (it was deleted, or brought back, in between); none is removed. Repeatable.
 */
export async function mendLogins(session: Session, paths: HomePaths): Promise<MendedLogins> {
  // What waits beside another database, or was replaced by one, has no logins of its own.
  const hasLogins = ({ anchor }: DatabaseRow) => anchor !== undefined && !anchor.restored && !anchor.replaced;
  const rows = (await listDatabases(session)).filter(hasLogins);
  await moveFiles(paths, rows);
  const mended: string[] = [];
  const unknown: string[] = [];
  for (const row of rows) {
    const credentials = await readJson<Credentials>(credentialsPath(paths, row.name));
    if (!credentials) unknown.push(row.name);
    else if (await mend(session, row, credentials)) mended.push(row.name);
  }
  const there = new Set(rows.map(({ name }) => name));
  return { mended, unknown, absent: (await filesOf(paths)).filter((name) => !there.has(name)) };
}

/** The names of the databases that there is a file for. */
async function filesOf(paths: HomePaths): Promise<string[]> {
  const files = (await readdir(paths.credentials)).filter((name) => name.endsWith(".json"));
  return files.map((name) => decodeURIComponent(name.slice(0, -".json".length))).sort();
}

/** A deleted database's file goes by its other name; what is in it still says the first one. */
async function moveFiles(paths: HomePaths, rows: DatabaseRow[]): Promise<void> {
  const there = new Set(rows.map(({ name }) => name));
  const spare = (await filesOf(paths)).filter((name) => !there.has(name));
  for (const { name, anchor } of rows) {
    if (await exists(credentialsPath(paths, name))) continue;
    for (const [i, other] of spare.entries()) {
      const credentials = await readJson<Credentials>(credentialsPath(paths, other));
      if (credentials?.database !== anchor!.database) continue;
      await rename(credentialsPath(paths, other), credentialsPath(paths, name));
      spare.splice(i, 1);
      break;
    }
  }
}

/** Answers whether anything differed. */
async function mend(session: Session, row: DatabaseRow, credentials: Credentials): Promise<boolean> {
  const anchor = row.anchor!;
  // A deleted database's roles have other names, and come back under their own with it.
  const roles = rolesOf(row.name);
  const logins = [credentials.app, credentials.read_only, credentials.previous, credentials.next]
    .filter((each) => each !== undefined)
    .map(({ user, password }) => ({ user: renamed(user, credentials.database, row.name), password }));
  const known = await findRoles(session, [...Object.values(roles), ...logins.map(({ user }) => user)]);
  const pattern = known.get(roles.app);
  const statements: string[] = [];
  for (const { user, password } of logins) {
    const role = known.get(user);
    if (role?.canLogin && (await verifies(password, role.verifier))) continue;
    statements.push(...loginStatements(user, await scramVerifier(password), { role, pattern, anchor, roles }));
  }
  const named = new Set(logins.map(({ user }) => user));
  const ended = [roles.app, roles.appAlternate].filter((user) => !named.has(user) && known.get(user)?.canLogin);
  statements.push(...ended.map(ddl.disableLogin), ...rotationStatements(credentials, anchor, roles.app));
  if (statements.length > 0) await session.transaction(statements);
  return statements.length > 0;
}

/** The name of a login while its database has another name. */
function renamed(user: string, database: string, now: string): string {
  if (database === now) return user;
  const [was, is] = [rolesOf(database), rolesOf(now)];
  const key = (Object.keys(was) as (keyof typeof was)[]).find((each) => was[each] === user);
  return key ? is[key] : user;
}

/** What a login is made by, or gets its password by. */
function loginStatements(
  user: string,
  verifier: string,
  known: {
    role: RoleRow | undefined;
    pattern: RoleRow | undefined;
    anchor: Anchor;
    roles: ReturnType<typeof rolesOf>;
  },
): string[] {
  const { role, pattern, anchor, roles } = known;
  if (role) return [ddl.setPassword(user, verifier)];
  const isApp = user === roles.app || user === roles.appAlternate;
  const settings = (pattern?.settings ?? []).filter((setting) => !setting.startsWith("role="));
  return [
    ddl.createLogin(user, verifier, pattern?.connectionLimit ?? -1, isApp ? anchor.owner : undefined),
    ...settings.map((setting) => ddl.copySetting(user, setting)),
    ...(isApp ? [ddl.setForRole(user, "role", anchor.owner)] : []),
  ];
}

/** A rotation is open exactly while the file has a password of before. */
function rotationStatements({ previous }: Credentials, anchor: Anchor, role: string): string[] {
  const open = previous && { old: previous.user, until: previous.until };
  if (open?.old === anchor.rotation?.old && open?.until === anchor.rotation?.until) return [];
  const { rotation: _before, ...rest } = anchor;
  return [
    ...(open ? [ddl.setValidUntil(open.old, new Date(open.until))] : []),
    ddl.commentOnRole(role, anchorComment({ ...rest, ...(open ? { rotation: open } : {}) })),
  ];
}
