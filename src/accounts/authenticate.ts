import type { Clock } from "../core/clock.ts";
import type { Secret } from "../core/secret.ts";
import type { AccountsStore } from "./accounts-store.ts";
import type { Audit } from "./audit.ts";
import { sessionCookieName } from "./cookie.ts";
import { DASHBOARD_KEY, findKey, isUsableKey, prefixOf } from "./keys.ts";
import { roleOf, scopesOf, type Actor } from "./roles.ts";
import { isLiveSession, type SessionPolicy } from "./sessions.ts";
import { instant, type ApiKey, type WebSession } from "./state.ts";
import type { Throttle } from "./throttle.ts";
import { hashToken, isSameSecret } from "./tokens.ts";

/** What a request says about who makes it. */
export interface Credentials {
  /** `X-API-Key` */
  apiKey?: string;
  /** `Authorization` */
  authorization?: string;
  cookies: Readonly<Record<string, string | undefined>>;
  /** Whether the browser speaks https, to us or to a proxy that we trust. */
  https: boolean;
  /** The real address; null for this machine's socket. */
  address: string | null;
}

/** What it goes by. */
export interface AuthenticateContext {
  store: AccountsStore;
  throttle: Throttle;
  audit: Audit;
  clock: Clock;
  policy: SessionPolicy;
  /** The installation's own key, from its secrets. */
  dashboardKey: () => Promise<Secret | undefined>;
}

/**
 * Who makes a request, from memory alone; undefined for nobody. A key that is given must be right: a cookie beside it
 * counts for nothing. @throws HomelabError `too_many_attempts`
 */
export async function authenticate(context: AuthenticateContext, request: Credentials): Promise<Actor | undefined> {
  const key = request.apiKey || bearer(request.authorization);
  return key ? byKey(context, key, request.address) : bySession(context, request);
}

const bearer = (authorization: string | undefined): string | undefined =>
  /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];

async function byKey(context: AuthenticateContext, text: string, address: string | null): Promise<Actor | undefined> {
  const { store, clock, throttle } = context;
  const key = findKey(store.lookup.keysByPrefix, text);
  // A right one works from an address that guesses, too: nobody guesses 192 bits, and others may share the address.
  if (key) return isUsableKey(key, clock.now()) ? keyActor(context, key, address) : undefined;
  await throttle.requireFewGuesses(address);
  const own = await context.dashboardKey();
  if (own && isSameSecret(text, own.reveal()))
    return { kind: "key", name: `key:${DASHBOARD_KEY}`, role: "admin", scopes: ["admin"], address };
  const guess = await throttle.guess(address);
  if (guess.isNotable) {
    const target = prefixOf(text) ? `key ${prefixOf(text)}` : "key";
    await context.audit.record({ actor: "nobody", action: "key.use", target, result: "not_signed_in", address });
  }
  return undefined;
}

function keyActor({ store, clock }: AuthenticateContext, key: ApiKey, address: string | null): Actor {
  store.uses.note("key", key.id, instant(clock.now()));
  return { kind: "key", name: `key:${key.name}`, role: roleOf(key.scopes), scopes: key.scopes, address };
}

function bySession(context: AuthenticateContext, { cookies, https, address }: Credentials): Actor | undefined {
  const session = findSession(context, cookies[sessionCookieName(https)]);
  const user = session && context.store.lookup.usersById.get(session.userId);
  if (!user || user.disabled) return undefined;
  context.store.uses.note("session", session.id, instant(context.clock.now()));
  return {
    kind: "user",
    name: `user:${user.name}`,
    role: user.role,
    scopes: scopesOf(user.role),
    address,
    session: { id: session.id, provenAt: session.provenAt },
  };
}

/** Whether somebody who was let in a while ago would be let in now: his key or his session may have ended meanwhile. */
export function isStillIn({ store, clock, policy }: AuthenticateContext, actor: Actor): boolean {
  const { keys, sessions } = store.lookup.state;
  const name = actor.name.replace(/^key:/, "");
  if (actor.session) {
    const session = sessions.find(({ id }) => id === actor.session!.id);
    const seen = session && { ...session, seenAt: store.uses.latest(session.id, session.seenAt) };
    return seen !== undefined && isLiveSession(seen, policy, clock.now());
  }
  if (actor.kind !== "key" || name === DASHBOARD_KEY) return true;
  return keys.some((key) => key.name === name && isUsableKey(key, clock.now()));
}

/** The live session of a cookie's token. */
export function findSession(
  { store, clock, policy }: Pick<AuthenticateContext, "store" | "clock" | "policy">,
  token: string | undefined,
): WebSession | undefined {
  const session = token ? store.lookup.sessionsByTokenHash.get(hashToken(token)) : undefined;
  if (!session) return undefined;
  const seen = { ...session, seenAt: store.uses.latest(session.id, session.seenAt) };
  return isLiveSession(seen, policy, clock.now()) ? seen : undefined;
}
