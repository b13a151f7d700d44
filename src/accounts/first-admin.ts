import { Secret } from "../core/secret.ts";
import type { Caller } from "./audit.ts";
import { requireGoodPassword } from "./password-rules.ts";
import { isSetupToken, newSetupLink, refusedLink, requireSetupNeeded, useSetupLink, withSetupLink } from "./setup.ts";
import type { SignInContext } from "./sign-in.ts";
import { requireUser, viewUser, type UserView } from "./users.ts";

/** The first admin as he describes himself. */
export interface SetupInput {
  token: string;
  name: string;
  displayName?: string;
  password: string;
}

/** Makes a setup link's token; an earlier one stops working. @throws HomelabError `not_allowed` once there is an admin */
export function createSetupLink(
  { audit, clock, store }: SignInContext,
  caller: Caller,
): Promise<{ token: Secret; expiresAt: string }> {
  return audit.recorded(caller, { action: "setup.link" }, async () => {
    const { link, token } = newSetupLink(clock.now());
    await store.change((state) => withSetupLink(state, link));
    return { value: { token: new Secret(token), expiresAt: link.expiresAt }, after: { expires_at: link.expiresAt } };
  });
}

/** Makes the first admin by a link. @throws HomelabError `not_signed_in`, `not_allowed`, `input_invalid`, `too_many_attempts` */
export async function setUp(
  context: SignInContext,
  input: SetupInput,
  from: { address: string | null; requestId: string | null },
): Promise<UserView> {
  const { audit, clock, hasher, store, throttle } = context;
  const { token, name, displayName, password } = input;
  // Before anything costs something: the route is open to everybody.
  requireSetupNeeded(store.lookup.state);
  if (!isSetupToken(store.lookup.state, token, clock.now())) {
    const guess = await throttle.guess(from.address);
    if (guess.isNotable) await audit.record({ actor: "nobody", action: "setup.use", result: "not_signed_in", ...from });
    throw refusedLink();
  }
  requireGoodPassword(password, name);
  const passwordHash = await hasher.hash(password);
  await store.change((state) => useSetupLink(state, token, { name, displayName, passwordHash }, clock.now()));
  await audit.record({ actor: `user:${name}`, action: "setup.use", target: `user:${name}`, result: "done", ...from });
  return viewUser(requireUser(store.lookup.state, name));
}
