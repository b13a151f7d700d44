import { randomUUID } from "node:crypto";
import { instant, type AccountsState, type User, type WebSession } from "./state.ts";
import { hashToken, newToken } from "./tokens.ts";

/** How long a browser stays signed in. */
export interface SessionPolicy {
  /** Seconds without a request after which it is signed out. */
  idleSeconds: number;
  /** Seconds after which it is signed out however busy it is. */
  lifetimeSeconds: number;
}

export const DEFAULT_POLICY: SessionPolicy = { idleSeconds: 12 * 3600, lifetimeSeconds: 30 * 24 * 3600 };

/** Sessions that ended are shown for another day, and then forgotten. */
const KEPT_MS = 24 * 3600 * 1000;

/** Sessions that are kept of one user. */
const MOST_PER_USER = 200;

/** Where a browser is. */
export interface Browser {
  address: string | null;
  userAgent?: string | null;
}

/** Opens a session: the row that is kept, and the token for the cookie. */
export function openSession(
  user: User,
  { address, userAgent }: Browser,
  policy: SessionPolicy,
  now: number,
): { session: WebSession; token: string } {
  const token = newToken();
  const at = instant(now);
  const session: WebSession = {
    id: randomUUID(),
    userId: user.id,
    tokenHash: hashToken(token),
    createdAt: at,
    seenAt: at,
    provenAt: at,
    expiresAt: instant(now + policy.lifetimeSeconds * 1000),
    address: storable(address, 100),
    userAgent: storable(userAgent, 200),
    revokedAt: null,
  };
  return { session, token };
}

/** A foreign text as the database can hold it. */
const storable = (text: string | null | undefined, length: number): string | null =>
  text?.slice(0, length).toWellFormed().replaceAll("\0", "") ?? null;

/** When a session ends, or ended, as far as is known now. */
function sessionEnd(session: WebSession, policy: SessionPolicy): number {
  const idleEnd = Date.parse(session.seenAt) + policy.idleSeconds * 1000;
  const end = Math.min(idleEnd, Date.parse(session.expiresAt));
  return session.revokedAt ? Math.min(end, Date.parse(session.revokedAt)) : end;
}

export const isLiveSession = (session: WebSession, policy: SessionPolicy, now: number): boolean =>
  !session.revokedAt && sessionEnd(session, policy) > now;

const later = (one: string, other: string): string => (one > other ? one : other);

/** What two copies of one session say together: a session never comes back to life. */
export const mergeSession = (one: WebSession, other: WebSession): WebSession => ({
  ...one,
  seenAt: later(one.seenAt, other.seenAt),
  provenAt: later(one.provenAt, other.provenAt),
  revokedAt: one.revokedAt ?? other.revokedAt,
});

/**
 * Adds sessions that were opened or ended while the platform database was away. Of a user who is gone nothing is added,
 * and a session that is older than a change of how he signs in is ended.
 */
export function withSessions(state: AccountsState, added: readonly WebSession[], now: string): AccountsState {
  if (added.length === 0) return state;
  const sessions = new Map(state.sessions.map((session) => [session.id, session]));
  for (const session of added) {
    const user = state.users.find(({ id }) => id === session.userId);
    if (!user) continue;
    const known = sessions.get(session.id);
    const isLate = !known && (user.disabled || session.createdAt < user.credentialsChangedAt);
    const merged = known ? mergeSession(known, session) : session;
    sessions.set(session.id, isLate ? { ...merged, revokedAt: merged.revokedAt ?? now } : merged);
  }
  return { ...state, sessions: [...sessions.values()] };
}

/** Leaves out what ended a while ago, and of a user with very many sessions those that were used least lately. */
export function withoutEnded(state: AccountsState, policy: SessionPolicy, now: number): AccountsState {
  const recent = state.sessions.filter((session) => sessionEnd(session, policy) > now - KEPT_MS);
  const byUser = Map.groupBy(recent, ({ userId }) => userId);
  const isCrowded = [...byUser.values()].some((own) => own.length > MOST_PER_USER);
  const sessions = isCrowded ? [...byUser.values()].flatMap((own) => newest(own, policy)) : recent;
  const setup = state.setup && Date.parse(state.setup.expiresAt) > now ? state.setup : null;
  const isSame = sessions.length === state.sessions.length && setup === state.setup;
  return isSame ? state : { ...state, sessions, setup };
}

/** A script that signs in each minute, and never out, must not fill the memory. */
const newest = (sessions: readonly WebSession[], policy: SessionPolicy): WebSession[] =>
  sessions.toSorted((a, b) => sessionEnd(b, policy) - sessionEnd(a, policy)).slice(0, MOST_PER_USER);
