import { randomUUID } from "node:crypto";
import { HomelabError } from "../core/errors.ts";
import { printable } from "../core/text.ts";
import type { Role } from "./roles.ts";
import { replaced, type AccountsState, type User } from "./state.ts";

/** A user as lists and answers show one. */
export interface UserView {
  name: string;
  displayName: string;
  role: Role;
  hasPassword: boolean;
  sso: User["sso"];
  disabled: boolean;
  createdAt: string;
  lastLoginAt: string | null;
}

/** What an admin may set. */
export interface NewUser {
  name: string;
  displayName?: string;
  role: Role;
  passwordHash: string | null;
  sso?: User["sso"];
}

/** What is left out stays as it is. */
export type UserChange = Partial<Pick<User, "displayName" | "role" | "disabled" | "passwordHash" | "sso">>;

const NAME = /^[a-z][a-z0-9._-]{0,62}$/;

/** Whether a text can be a user's name at all. */
const isUserName = (text: string): boolean => NAME.test(text);

export const viewUser = (user: User): UserView => ({
  name: user.name,
  displayName: user.displayName,
  role: user.role,
  hasPassword: user.passwordHash !== null,
  sso: user.sso,
  disabled: user.disabled,
  createdAt: user.createdAt,
  lastLoginAt: user.lastLoginAt,
});

/** Adds a user. @throws HomelabError `input_invalid`, `name_taken` */
export function addUser(state: AccountsState, user: NewUser, now: string): AccountsState {
  if (!isUserName(user.name)) {
    const message = "1 to 63 small letters, digits, dots, _ and -, a letter first";
    throw new HomelabError("input_invalid", `a user's name is ${message}`, { errors: [{ field: "name", message }] });
  }
  if (state.users.some(({ name }) => name === user.name))
    throw new HomelabError("name_taken", `there is a user ${user.name} already`);
  requireFreeSubject(state, user.sso ?? null, undefined);
  const added: User = {
    id: randomUUID(),
    name: user.name,
    displayName: cleanDisplayName(user.displayName ?? user.name),
    role: user.role,
    passwordHash: user.passwordHash,
    sso: user.sso ?? null,
    disabled: false,
    createdAt: now,
    lastLoginAt: null,
    credentialsChangedAt: now,
  };
  return { ...state, users: [...state.users, added] };
}

/**
 * Changes a user. A change of what he may do, or of how he signs in, ends his sessions, but for the one that asks.
 * @throws HomelabError `not_found`, `last_admin`, `name_taken`
 */
export function changeUser(
  state: AccountsState,
  name: string,
  change: UserChange,
  context: { now: string; keepSession?: string },
): AccountsState {
  const user = requireUser(state, name);
  requireFreeSubject(state, change.sso ?? null, user.id);
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as UserChange;
  const next: User = { ...user, ...given };
  next.displayName = cleanDisplayName(next.displayName);
  const isSame = (["role", "disabled", "passwordHash", "sso"] as const).every((key) => next[key] === user[key]);
  if (isSame) return { ...state, users: replaced(state.users, next) };
  next.credentialsChangedAt = context.now;
  const users = replaced(state.users, next);
  requireAnAdmin(state.users, users);
  return { ...endSessions(state, user.id, context), users };
}

/** Removes a user and his sessions. @throws HomelabError `not_found`, `last_admin` */
export function removeUser(state: AccountsState, name: string): AccountsState {
  const user = requireUser(state, name);
  const users = state.users.filter(({ id }) => id !== user.id);
  requireAnAdmin(state.users, users);
  return { ...state, users, sessions: state.sessions.filter(({ userId }) => userId !== user.id) };
}

/** Ends the sessions of a user. */
function endSessions(
  state: AccountsState,
  userId: string,
  { now, keepSession }: { now: string; keepSession?: string },
): AccountsState {
  const sessions = state.sessions.map((session) =>
    session.userId === userId && session.id !== keepSession && !session.revokedAt
      ? { ...session, revokedAt: now }
      : session,
  );
  return { ...state, sessions };
}

/** @throws HomelabError `not_found` */
export function requireUser(state: AccountsState, name: string): User {
  const user = state.users.find((other) => other.name === name);
  if (user) return user;
  throw new HomelabError("not_found", `there is no user ${printable(name)}`, { hint: "homelab user list shows them." });
}

/** Somebody who can sign in and do everything. */
const isUsableAdmin = (user: User): boolean =>
  user.role === "admin" && !user.disabled && (user.passwordHash !== null || user.sso !== null);

/** An installation that had an admin keeps one: otherwise nobody could put it right with a browser. */
function requireAnAdmin(before: readonly User[], after: readonly User[]): void {
  if (!before.some(isUsableAdmin) || after.some(isUsableAdmin)) return;
  throw new HomelabError("last_admin", "this is the last admin who can sign in", {
    hint: "Make another user an admin first.",
  });
}

/** One person of a provider is one user. */
function requireFreeSubject(state: AccountsState, sso: User["sso"], exceptId: string | undefined): void {
  const holder = sso && state.users.find((user) => user.id !== exceptId && isSubject(user.sso, sso));
  if (holder) throw new HomelabError("name_taken", `this single sign-on belongs to ${holder.name} already`);
}

const isSubject = (one: User["sso"], other: NonNullable<User["sso"]>): boolean =>
  one?.issuer === other.issuer && one.subject === other.subject;

/** The user of a provider's person. */
export const userOfSubject = (state: AccountsState, sso: NonNullable<User["sso"]>): User | undefined =>
  state.users.find((user) => isSubject(user.sso, sso));

/** The same, who was just made sure of. @throws HomelabError `not_found` */
export function requireSubject(state: AccountsState, sso: NonNullable<User["sso"]>): User {
  const user = userOfSubject(state, sso);
  if (user) return user;
  throw new HomelabError("not_found", "this user was just removed");
}

/** A name to show: one line, no control characters. */
const cleanDisplayName = (text: string): string => printable(text.trim()).slice(0, 200);
