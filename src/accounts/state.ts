import type { Scope } from "../core/scope.ts";
import type { Role } from "./roles.ts";

/*
 * All that is needed to answer "who is this", as plain data: it is kept in memory, in the platform database and in a
 * snapshot. Times are RFC 3339, secrets are only ever hashes, and nothing here is changed in place.
 */

/** A person who signs in with a browser. */
export interface User {
  id: string;
  name: string;
  displayName: string;
  role: Role;
  /** A PHC string; null for somebody who signs in elsewhere alone. */
  passwordHash: string | null;
  /** Who he is to an OpenID Connect provider. */
  sso: { issuer: string; subject: string } | null;
  disabled: boolean;
  createdAt: string;
  lastLoginAt: string | null;
  /** Sessions that were opened before the last change of password, role or state do not count any more. */
  credentialsChangedAt: string;
}

/** A key of a program. */
export interface ApiKey {
  id: string;
  name: string;
  /** The part by which it is looked up; shown in lists. */
  prefix: string;
  /** SHA-256 of the whole key, in hex. */
  secretHash: string;
  scopes: readonly Scope[];
  createdBy: string;
  createdAt: string;
  expiresAt: string | null;
  lastUsedAt: string | null;
  revokedAt: string | null;
}

/** A browser that is signed in. */
export interface WebSession {
  id: string;
  userId: string;
  /** SHA-256 of the cookie's token, in hex. */
  tokenHash: string;
  createdAt: string;
  /** Of the last request; up to a minute old. */
  seenAt: string;
  /** When the password, or the single sign-on, was last proven. */
  provenAt: string;
  /** It ends then, however busy it is. */
  expiresAt: string;
  address: string | null;
  userAgent: string | null;
  revokedAt: string | null;
}

/** The one way to make the first admin with a browser. */
export interface SetupLink {
  /** SHA-256 of the link's token, in hex. */
  tokenHash: string;
  expiresAt: string;
}

export interface AccountsState {
  users: readonly User[];
  keys: readonly ApiKey[];
  sessions: readonly WebSession[];
  setup: SetupLink | null;
}

export const EMPTY_STATE: AccountsState = { users: [], keys: [], sessions: [], setup: null };

/** Puts a row in the place of the one with its id. */
export const replaced = <T extends { id: string }>(rows: readonly T[], row: T): readonly T[] =>
  rows.map((other) => (other.id === row.id ? row : other));

/** RFC 3339 of a clock's milliseconds. */
export const instant = (ms: number): string => new Date(ms).toISOString();
