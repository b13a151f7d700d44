import { HomelabError } from "../core/errors.ts";
import { instant, type AccountsState, type SetupLink } from "./state.ts";
import { hashToken, matchesHash, newToken } from "./tokens.ts";
import { addUser } from "./users.ts";

/** Seconds for which a setup link works. */
const SETUP_LINK_SECONDS = 24 * 3600;

/** Whether there is nobody yet who could let others in. */
export const isSetupNeeded = (state: AccountsState): boolean => !state.users.some(({ role }) => role === "admin");

/** Makes the token of a setup link, which takes the place of an earlier one. */
export function newSetupLink(now: number): { link: SetupLink; token: string } {
  const token = newToken();
  return { link: { tokenHash: hashToken(token), expiresAt: instant(now + SETUP_LINK_SECONDS * 1000) }, token };
}

/** @throws HomelabError `not_allowed` once there is an admin */
export function withSetupLink(state: AccountsState, link: SetupLink): AccountsState {
  requireSetupNeeded(state);
  return { ...state, setup: link };
}

/** Whether a link's token would be taken now. */
export const isSetupToken = (state: AccountsState, token: string, now: number): boolean =>
  state.setup !== null && matchesHash(token, state.setup.tokenHash) && Date.parse(state.setup.expiresAt) > now;

/** The first admin, by a link that is used up with it. @throws HomelabError `not_allowed`, `not_signed_in`, `input_invalid` */
export function useSetupLink(
  state: AccountsState,
  token: string,
  admin: { name: string; displayName?: string; passwordHash: string },
  now: number,
): AccountsState {
  requireSetupNeeded(state);
  if (!isSetupToken(state, token, now)) throw refusedLink();
  return withFirstAdmin(state, admin, now);
}

/** The first admin, by somebody who owns the machine. @throws HomelabError `not_allowed`, `input_invalid` */
function withFirstAdmin(
  state: AccountsState,
  admin: { name: string; displayName?: string; passwordHash: string },
  now: number,
): AccountsState {
  requireSetupNeeded(state);
  return { ...addUser(state, { ...admin, role: "admin" }, instant(now)), setup: null };
}

/** One sentence for a link that was used, replaced, mistyped or is too old: which one it is helps nobody but a guesser. */
export const refusedLink = (): HomelabError =>
  new HomelabError("not_signed_in", "this setup link does not work, or does not work any more", {
    hint: "homelab user setup-link prints a new one, on the machine itself.",
  });

/** @throws HomelabError `not_allowed` once there is an admin */
export function requireSetupNeeded(state: AccountsState): void {
  if (isSetupNeeded(state)) return;
  throw new HomelabError("not_allowed", "this installation has an admin already", {
    hint: "Sign in, or let an admin make you a user.",
  });
}
