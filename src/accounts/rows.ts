import type { Selectable } from "kysely";
import type { AccountTables } from "../store/account-tables.ts";
import type { PlatformTransaction } from "../store/database.ts";
import type { AccountsState, ApiKey, User, WebSession } from "./state.ts";

/** Which database a state comes from, and how often it was changed there. */
export interface Head {
  databaseId: string;
  revision: number;
  /** RFC 3339. */
  changedAt: string;
}

/** Reads everything, as of one revision: with a lock, nobody changes it before this transaction ends. */
export async function readAccounts(
  db: PlatformTransaction,
  lock: "share" | "update",
): Promise<{ head: Head; state: AccountsState }> {
  const query = db.selectFrom("accounts_state").selectAll();
  const row = await (lock === "update" ? query.forUpdate() : query.forShare()).executeTakeFirstOrThrow();
  const users = await db.selectFrom("users").selectAll().orderBy("name").execute();
  const keys = await db.selectFrom("api_keys").selectAll().orderBy("created_at").execute();
  const sessions = await db.selectFrom("web_sessions").selectAll().orderBy("created_at").execute();
  const { setup_token_hash: tokenHash, setup_expires_at: expiresAt } = row;
  return {
    head: headFromRow(row),
    state: {
      users: users.map(userFromRow),
      keys: keys.map(keyFromRow),
      sessions: sessions.map(sessionFromRow),
      setup: tokenHash && expiresAt ? { tokenHash, expiresAt: expiresAt.toISOString() } : null,
    },
  };
}

/** Where the database stands, without a lock. */
export async function readHead(db: PlatformTransaction): Promise<Head> {
  const columns = ["database_id", "revision", "changed_at"] as const;
  return headFromRow(await db.selectFrom("accounts_state").select(columns).executeTakeFirstOrThrow());
}

/** Writes what differs between two states, and counts it as one change. The state must be locked by this transaction. */
export async function writeAccounts(
  db: PlatformTransaction,
  before: AccountsState,
  after: AccountsState,
  head: Head,
): Promise<void> {
  // What goes makes room first: another row may have its name.
  await removeRows(db, before, after);
  await upsert(db, "users", changed(before.users, after.users).map(userRow));
  await upsert(db, "api_keys", changed(before.keys, after.keys).map(keyRow));
  await upsert(db, "web_sessions", changed(before.sessions, after.sessions).map(sessionRow));
  await db
    .updateTable("accounts_state")
    .set({
      revision: head.revision,
      changed_at: head.changedAt,
      setup_token_hash: after.setup?.tokenHash ?? null,
      setup_expires_at: after.setup?.expiresAt ?? null,
    })
    .execute();
}

async function removeRows(db: PlatformTransaction, before: AccountsState, after: AccountsState): Promise<void> {
  const gone = (one: readonly { id: string }[], other: readonly { id: string }[]): string[] => {
    const kept = new Set(other.map(({ id }) => id));
    return one.map(({ id }) => id).filter((id) => !kept.has(id));
  };
  const [sessions, keys, users] = [
    gone(before.sessions, after.sessions),
    gone(before.keys, after.keys),
    gone(before.users, after.users),
  ];
  if (sessions.length > 0) await db.deleteFrom("web_sessions").where("id", "in", sessions).execute();
  if (keys.length > 0) await db.deleteFrom("api_keys").where("id", "in", keys).execute();
  if (users.length > 0) await db.deleteFrom("users").where("id", "in", users).execute();
}

/** Rows that are not the very ones of before. */
function changed<T>(before: readonly T[], after: readonly T[]): T[] {
  const known = new Set(before);
  return after.filter((row) => !known.has(row));
}

/** Rows of one statement: it may have 65535 parameters. */
const BATCH = 500;

async function upsert<Row extends { id: string }>(
  db: PlatformTransaction,
  table: "users" | "api_keys" | "web_sessions",
  rows: Row[],
): Promise<void> {
  for (let i = 0; i < rows.length; i += BATCH) {
    const batch = rows.slice(i, i + BATCH);
    const columns = Object.keys(batch[0]!);
    await db
      .insertInto(table as "users")
      // The rows are this table's; kysely cannot know which of the three it is.
      .values(batch as never)
      .onConflict((conflict) =>
        conflict
          .column("id")
          .doUpdateSet(({ ref }) =>
            Object.fromEntries(columns.map((name) => [name, ref(`excluded.${name}` as never)])),
          ),
      )
      .execute();
  }
}

const text = (date: Date | null): string | null => date?.toISOString() ?? null;

const headFromRow = (row: { database_id: string; revision: string; changed_at: Date }): Head => ({
  databaseId: row.database_id,
  revision: Number(row.revision),
  changedAt: row.changed_at.toISOString(),
});

const userFromRow = (row: Selectable<AccountTables["users"]>): User => ({
  id: row.id,
  name: row.name,
  displayName: row.display_name,
  role: row.role,
  passwordHash: row.password_hash,
  sso: row.sso_issuer && row.sso_subject ? { issuer: row.sso_issuer, subject: row.sso_subject } : null,
  disabled: row.disabled,
  createdAt: row.created_at.toISOString(),
  lastLoginAt: text(row.last_login_at),
  credentialsChangedAt: row.credentials_changed_at.toISOString(),
});

const userRow = (user: User) => ({
  id: user.id,
  name: user.name,
  display_name: user.displayName,
  role: user.role,
  password_hash: user.passwordHash,
  sso_issuer: user.sso?.issuer ?? null,
  sso_subject: user.sso?.subject ?? null,
  disabled: user.disabled,
  created_at: user.createdAt,
  last_login_at: user.lastLoginAt,
  credentials_changed_at: user.credentialsChangedAt,
});

const keyFromRow = (row: Selectable<AccountTables["api_keys"]>): ApiKey => ({
  id: row.id,
  name: row.name,
  prefix: row.prefix,
  secretHash: row.secret_hash,
  scopes: row.scopes,
  createdBy: row.created_by,
  createdAt: row.created_at.toISOString(),
  expiresAt: text(row.expires_at),
  lastUsedAt: text(row.last_used_at),
  revokedAt: text(row.revoked_at),
});

const keyRow = (key: ApiKey) => ({
  id: key.id,
  name: key.name,
  prefix: key.prefix,
  secret_hash: key.secretHash,
  scopes: [...key.scopes],
  created_by: key.createdBy,
  created_at: key.createdAt,
  expires_at: key.expiresAt,
  last_used_at: key.lastUsedAt,
  revoked_at: key.revokedAt,
});

const sessionFromRow = (row: Selectable<AccountTables["web_sessions"]>): WebSession => ({
  id: row.id,
  userId: row.user_id,
  tokenHash: row.token_hash,
  createdAt: row.created_at.toISOString(),
  seenAt: row.seen_at.toISOString(),
  provenAt: row.proven_at.toISOString(),
  expiresAt: row.expires_at.toISOString(),
  address: row.address,
  userAgent: row.user_agent,
  revokedAt: text(row.revoked_at),
});

const sessionRow = (session: WebSession) => ({
  id: session.id,
  user_id: session.userId,
  token_hash: session.tokenHash,
  created_at: session.createdAt,
  seen_at: session.seenAt,
  proven_at: session.provenAt,
  expires_at: session.expiresAt,
  address: session.address,
  user_agent: session.userAgent,
  revoked_at: session.revokedAt,
});
