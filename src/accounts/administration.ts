import { HomelabError } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { Scope } from "../core/scope.ts";
import type { Secret } from "../core/secret.ts";
import type { Caller } from "./audit.ts";
import { addKey, mintKey, requireLiveKey, revokeKey, viewKey, type KeyView } from "./keys.ts";
import { requireGoodPassword } from "./password-rules.ts";
import { mayGrant, type Role } from "./roles.ts";
import type { SignInContext } from "./sign-in.ts";
import { instant, type User, type WebSession } from "./state.ts";
import { addUser, changeUser, removeUser, requireUser, viewUser, type UserView } from "./users.ts";

/** A user as an admin makes one: without a password for somebody who signs in elsewhere. */
export interface UserInput {
  name: string;
  displayName?: string;
  role: Role;
  password?: string;
  sso?: NonNullable<User["sso"]>;
}

/** What an admin changes about a user; what is left out stays. */
export interface UserUpdate {
  displayName?: string;
  role?: Role;
  disabled?: boolean;
  password?: string;
  sso?: User["sso"];
}

/** A key as it is asked for. */
export interface KeyInput {
  name: string;
  scopes: readonly Scope[];
  expiresAt?: string | null;
}

/** A browser session as lists show one. */
export interface SessionView {
  id: string;
  user: string;
  createdAt: string;
  seenAt: string;
  expiresAt: string;
  address: string | null;
  userAgent: string | null;
}

/** @throws HomelabError `input_invalid`, `name_taken`, `platform_database_away` */
export function createUser(context: SignInContext, caller: Caller, input: UserInput): Promise<UserView> {
  const { password, ...user } = input;
  return context.audit.recorded(caller, { action: "user.create", target: `user:${user.name}` }, async () => {
    const passwordHash = await hashGiven(context, password, user.name);
    const now = instant(context.clock.now());
    await context.store.change((state) => addUser(state, { ...user, passwordHash: passwordHash ?? null }, now));
    return shown(context, user.name, null);
  });
}

/** @throws HomelabError `not_found`, `last_admin`, `input_invalid`, `platform_database_away` */
export function updateUser(
  context: SignInContext,
  caller: Caller,
  name: string,
  { password, ...update }: UserUpdate,
): Promise<UserView> {
  return context.audit.recorded(caller, { action: "user.update", target: `user:${name}` }, async () => {
    const before = viewUser(requireUser(context.store.lookup.state, name));
    const passwordHash = await hashGiven(context, password, name);
    // Whoever changes his own account stays signed in where he does it.
    const keepSession = caller.actor.session?.id;
    const how = { now: instant(context.clock.now()), keepSession };
    await context.store.change((state) => changeUser(state, name, { ...update, passwordHash }, how));
    return shown(context, name, before, password === undefined ? {} : { password_changed: true });
  });
}

/** @throws HomelabError `not_found`, `last_admin`, `platform_database_away` */
export function deleteUser(context: SignInContext, caller: Caller, name: string): Promise<void> {
  return context.audit.recorded(caller, { action: "user.delete", target: `user:${name}` }, async () => {
    const before = asJson(viewUser(requireUser(context.store.lookup.state, name)));
    await context.store.change((state) => removeUser(state, name));
    return { value: undefined, before };
  });
}

/** Makes a key; its text is in this answer and nowhere else. @throws HomelabError `input_invalid`, `name_taken`, `not_allowed` */
export function createKey(
  context: SignInContext,
  caller: Caller,
  { name, scopes, expiresAt = null }: KeyInput,
): Promise<{ key: KeyView; text: Secret }> {
  return context.audit.recorded(caller, { action: "key.create", target: `key:${name}` }, async () => {
    if (!mayGrant(caller.actor, scopes))
      throw new HomelabError("not_allowed", "a key cannot be given more than its maker may do");
    const { key, text } = mintKey({ name, scopes, expiresAt }, caller.actor.name, instant(context.clock.now()));
    await context.store.change((state) => addKey(state, key));
    return { value: { key: viewKey(key), text }, after: asJson(viewKey(key)) };
  });
}

/** @throws HomelabError `not_found`, `platform_database_away` */
export function deleteKey(context: SignInContext, caller: Caller, which: string): Promise<void> {
  return context.audit.recorded(caller, { action: "key.revoke", target: `key:${which}` }, async () => {
    const before = asJson(viewKey(requireLiveKey(context.store.lookup.state, which)));
    await context.store.change((state) => revokeKey(state, which, instant(context.clock.now())));
    return { value: undefined, before };
  });
}

/** Signs a browser out from elsewhere; with the platform database away it holds here at once, and elsewhere later. */
export function endSession(context: SignInContext, caller: Caller, session: WebSession): Promise<void> {
  const user = context.store.lookup.usersById.get(session.userId)?.name ?? "unknown";
  return context.audit.recorded(caller, { action: "session.revoke", target: `user:${user}` }, async () => {
    const revokedAt = instant(context.clock.now());
    await context.store.keepSessions([{ ...session, revokedAt }]);
    return { value: undefined, before: { session: session.id, address: session.address } };
  });
}

async function hashGiven(
  { hasher }: SignInContext,
  password: string | undefined,
  userName: string,
): Promise<string | undefined> {
  if (password === undefined) return undefined;
  requireGoodPassword(password, userName);
  return hasher.hash(password);
}

function shown(
  { store }: SignInContext,
  name: string,
  before: UserView | null,
  also: { [key: string]: Json } = {},
): { value: UserView; before: Json; after: Json } {
  const value = viewUser(requireUser(store.lookup.state, name));
  return { value, before: before && asJson(before), after: { ...(asJson(value) as object), ...also } };
}

/** A view as the audit log keeps it. */
const asJson = (view: UserView | KeyView): Json =>
  Object.fromEntries(Object.entries(view).map(([name, value]) => [snakeCase(name), value as Json]));

/** As the API calls its fields. */
const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
