import { HomelabError } from "../core/errors.ts";
import { callerOf } from "./address.ts";
import { findSession, type AuthenticateContext } from "./authenticate.ts";
import type { Caller } from "./audit.ts";
import { isBelowToday, type PasswordHasher } from "./password.ts";
import { requireGoodPassword } from "./password-rules.ts";
import type { Actor } from "./roles.ts";
import { openSession, type Browser } from "./sessions.ts";
import type { SsoIdentity } from "./sso-identity.ts";
import { instant, replaced, type AccountsState, type User, type WebSession } from "./state.ts";
import { addUser, changeUser, requireSubject, userOfSubject, viewUser, type UserView } from "./users.ts";

/** What signing in and out goes by. */
export interface SignInContext extends AuthenticateContext {
  hasher: PasswordHasher;
}

/** A browser that wants in. */
export interface SignInRequest {
  browser: Browser;
  requestId: string | null;
  /** The cookie that the browser has already: its session ends, so that nobody can plant one. */
  previousToken?: string;
}

/** A browser that is in. */
export interface SignedIn {
  /** For the session cookie, and for nothing else. */
  token: string;
  /** Seconds for which the cookie is kept. */
  maxAge: number;
  user: UserView;
}

/** One sentence for a name that nobody has, a wrong password and a user who may not: which one it is helps a guesser. */
const refused = (): HomelabError => new HomelabError("not_signed_in", "the name or the password is wrong");

/** Signs a user in by his password. @throws HomelabError `not_signed_in`, `too_many_attempts` */
export async function login(
  context: SignInContext,
  request: SignInRequest & { name: string; password: string },
): Promise<SignedIn> {
  const name = request.name.slice(0, 100).toLowerCase();
  const { address } = request.browser;
  const user = context.store.lookup.usersByName.get(name);
  const attempt = await context.throttle.attempt(name, address, isKnownAddress(context, user, address));
  const isRight = await context.hasher.verify(request.password, user?.passwordHash);
  if (!user || !isRight || user.disabled) {
    // A name that nobody has may be a password in the wrong field.
    const target = user ? `user:${user.name}` : "user unknown";
    await context.audit.record({ ...lineOf(request, "nobody", "session.open"), target, result: "not_signed_in" });
    throw refused();
  }
  await attempt.succeeded();
  return enter(context, user, request, await strengthened(context, user.passwordHash!, request.password));
}

/**
 * Signs somebody in whom the provider has told us about: a user of ours from the first time on, with the role that the
 * provider's groups give at each. @throws HomelabError `not_signed_in`, `last_admin`, `platform_database_away` for somebody new
 */
export async function loginWithSso(
  context: SignInContext,
  request: SignInRequest & { identity: SsoIdentity },
): Promise<SignedIn> {
  const { identity } = request;
  const now = instant(context.clock.now());
  const known = userOfSubject(context.store.lookup.state, identity);
  const isSame = known?.role === identity.role && known.displayName === identity.displayName;
  if (!isSame) await context.store.change((state) => withIdentity(state, identity, now));
  const user = requireSubject(context.store.lookup.state, identity);
  const target = `user:${user.name}`;
  if (!isSame) {
    const line = lineOf(request, "sso", known ? "user.update" : "user.create");
    const [before, after] = [known ? { role: known.role } : null, { role: user.role, sso: user.sso }];
    await context.audit.record({ ...line, target, before, after, result: "done" });
  }
  if (!user.disabled) return enter(context, user, request);
  await context.audit.record({ ...lineOf(request, "nobody", "session.open"), target, result: "not_signed_in" });
  throw new HomelabError("not_signed_in", "this user may not sign in", { hint: "An admin can enable it again." });
}

/** Ends a session by its cookie; one that is over already is fine. */
export async function logout(context: SignInContext, caller: Caller, token: string): Promise<void> {
  const session = findSession(context, token);
  if (!session) return;
  await context.store.keepSessions([{ ...session, revokedAt: instant(context.clock.now()) }]);
  const { actor, requestId } = caller;
  await context.audit.record({ actor, action: "session.close", target: actor.name, result: "done", requestId });
}

/** Asks for the password again, before something dangerous. @throws HomelabError `not_signed_in`, `too_many_attempts` */
export async function confirmPassword(context: SignInContext, caller: Caller, password: string): Promise<void> {
  const { user, session } = await requireOwnPassword(context, caller, password, "session.confirm");
  await context.store.keepSessions([{ ...session, provenAt: instant(context.clock.now()) }]);
  const { actor, requestId } = caller;
  const target = `user:${user.name}`;
  await context.audit.record({ actor, action: "session.confirm", target, result: "done", requestId });
}

/** A user's new password: all of his other sessions end. @throws HomelabError `not_signed_in`, `input_invalid` */
export async function changePassword(
  context: SignInContext,
  caller: Caller,
  passwords: { current: string; next: string },
): Promise<void> {
  const { user, session } = await requireOwnPassword(context, caller, passwords.current, "user.password");
  await context.audit.recorded(caller, { action: "user.password", target: `user:${user.name}` }, async () => {
    requireGoodPassword(passwords.next, user.name);
    const passwordHash = await context.hasher.hash(passwords.next);
    const change = { now: instant(context.clock.now()), keepSession: session.id };
    await context.store.change((state) => changeUser(state, user.name, { passwordHash }, change));
    return { value: undefined };
  });
}

/** The user behind a session, whose password was just given. */
async function requireOwnPassword(
  context: SignInContext,
  { actor, requestId }: Caller,
  password: string,
  action: string,
): Promise<{ user: User; session: WebSession }> {
  const session = context.store.lookup.state.sessions.find(({ id }) => id === actor.session?.id);
  const user = session && context.store.lookup.usersById.get(session.userId);
  if (!user) throw new HomelabError("not_allowed", "only a user who is signed in has a password here");
  const attempt = await context.throttle.attempt(user.name, actor.address, true);
  if (!(await context.hasher.verify(password, user.passwordHash))) {
    await context.audit.record({ actor, action, target: actor.name, result: "not_signed_in", requestId });
    throw new HomelabError("not_signed_in", "the password is wrong");
  }
  await attempt.succeeded();
  return { user, session };
}

/** Opens a session, in the place of the one that the browser had. */
async function enter(
  context: SignInContext,
  user: User,
  request: SignInRequest,
  newHash: string | null = user.passwordHash,
): Promise<SignedIn> {
  const now = context.clock.now();
  const { session, token } = openSession(user, request.browser, context.policy, now);
  const previous = findSession(context, request.previousToken);
  const ended = previous ? [{ ...previous, revokedAt: instant(now) }] : [];
  await context.store.keepSessions([session, ...ended], (state) => withLogin(state, user, newHash, now));
  const line = lineOf(request, `user:${user.name}`, "session.open");
  await context.audit.record({ ...line, target: `user:${user.name}`, result: "done" });
  return { token, maxAge: context.policy.lifetimeSeconds, user: viewUser(user) };
}

/** Whether this user was signed in from there lately. */
function isKnownAddress({ store }: SignInContext, user: User | undefined, address: string | null): boolean {
  const caller = address && callerOf(address);
  const sessions = user && caller ? store.lookup.state.sessions.filter(({ userId }) => userId === user.id) : [];
  return sessions.some((session) => session.address !== null && callerOf(session.address) === caller);
}

/** What was right here a moment ago must still be right in the database: another hub may have changed it. */
function withLogin(state: AccountsState, user: User, passwordHash: string | null, now: number): AccountsState {
  const stored = state.users.find(({ id }) => id === user.id);
  if (!stored || stored.disabled || stored.passwordHash !== user.passwordHash) throw refused();
  return { ...state, users: replaced(state.users, { ...stored, passwordHash, lastLoginAt: instant(now) }) };
}

/** The same password under today's costs, where it was stored under lower ones. */
const strengthened = async ({ hasher }: SignInContext, stored: string, password: string): Promise<string> =>
  isBelowToday(stored) ? hasher.hash(password) : stored;

/** A user as the provider describes him, under a name that is free. */
function withIdentity(state: AccountsState, identity: SsoIdentity, now: string): AccountsState {
  const { issuer, subject, username, displayName, role } = identity;
  const known = userOfSubject(state, identity);
  if (known) return changeUser(state, known.name, { displayName, role }, { now });
  const taken = new Set(state.users.map(({ name }) => name));
  let name = username;
  for (let i = 2; taken.has(name); i++) name = `${username.slice(0, 58)}-${i}`;
  return addUser(state, { name, displayName, role, passwordHash: null, sso: { issuer, subject } }, now);
}

const lineOf = (request: SignInRequest, actor: Actor["name"], action: string) => ({
  actor,
  action,
  address: request.browser.address,
  requestId: request.requestId,
});
