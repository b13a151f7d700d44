import { sql } from "kysely";
import type { PlatformTransaction } from "../store/database.ts";
import { readAccounts, writeAccounts, type Head } from "./rows.ts";
import { withoutEnded, withSessions, type SessionPolicy } from "./sessions.ts";
import { isOlder } from "./snapshot.ts";
import { instant, type AccountsState, type WebSession } from "./state.ts";

/** A change of the accounts: pure, because it may be asked about a newer state. It throws where it is refused. */
export type Change = (state: AccountsState) => AccountsState;

/** What every hub listens to. */
export const CHANNEL = "homelab_accounts";

/** What this machine knows, and wants to change. */
export interface LocalChange {
  /** The newest state that was seen here, and where it stood. */
  head: Head | null;
  state: AccountsState;
  /** Sessions that the database does not know yet. */
  sessions: readonly WebSession[];
  change: Change;
  policy: SessionPolicy;
  now: number;
}

/** How the database stands afterwards. */
export interface Written {
  head: Head;
  state: AccountsState;
  /** Where it stood, if it was older than what is known here, and was filled from here. */
  refilledFrom: Head | undefined;
}

/** Writes a change within one transaction, and tells every hub. Nothing is written where nothing changes. */
export async function writeChange(db: PlatformTransaction, local: LocalChange): Promise<Written> {
  const stored = await readAccounts(db, "update");
  const seen = isOlder(stored.head, local.head) ? local.head : null;
  const refilledFrom = seen ? stored.head : undefined;
  const base = withSessions(seen ? local.state : stored.state, local.sessions, instant(local.now));
  const state = withoutEnded(local.change(base), local.policy, local.now);
  if (state === stored.state) return { head: stored.head, state, refilledFrom };
  const revision = Math.max(stored.head.revision, seen?.revision ?? 0) + 1;
  const head = { databaseId: stored.head.databaseId, revision, changedAt: instant(local.now) };
  await writeAccounts(db, stored.state, state, head);
  await sql`SELECT pg_catalog.pg_notify(${CHANNEL}, ${String(revision)})`.execute(db);
  return { head, state, refilledFrom };
}
