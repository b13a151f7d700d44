import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from "openid-client";
import { errorMessage, HomelabError } from "../core/errors.ts";
import type { SsoSettings } from "../config/sso.ts";

/** Codes of the library for answers that no provider in order would give, or for none at all. */
const AWAY = new Set([
  "OAUTH_TIMEOUT",
  "OAUTH_ABORT",
  "OAUTH_RESPONSE_IS_NOT_CONFORM",
  "OAUTH_RESPONSE_IS_NOT_JSON",
  "OAUTH_PARSE_ERROR",
  "OAUTH_MISSING_SERVER_METADATA",
  "OAUTH_INVALID_SERVER_METADATA",
]);

/** What the provider answers when it knows our client otherwise than homelab.yaml does. */
const CLIENT_REFUSED = new Set(["invalid_client", "unauthorized_client"]);

/** An error of the library in our words. Its causes are left behind: they hold tokens and claims. */
export function ssoError(error: unknown, settings: SsoSettings): HomelabError {
  if (error instanceof HomelabError) return error;
  if (error instanceof AuthorizationResponseError) return answered(error.error, settings);
  if (error instanceof ResponseBodyError) return answered(error.error, settings);
  if (error instanceof WWWAuthenticateChallengeError) return challenged(error, settings);
  const code = error instanceof ClientError ? error.code : undefined;
  // Without a code: fetch's TypeError, and what the library did not expect either.
  if (code === undefined || AWAY.has(code)) return unavailable(reason(error), settings);
  // The inner message says which check it was, and which claim; the library puts no value in any.
  return failed(`what ${settings.issuer} sent does not hold: ${errorMessage((error as Error).cause ?? error)}`);
}

/** The provider cannot be used: local accounts can. */
export function unavailable(why: string, { issuer }: SsoSettings, hint?: string): HomelabError {
  return new HomelabError("sso_unavailable", `single sign-on with ${issuer} is not available: ${why}`, {
    hint: hint ?? "Local accounts can log in meanwhile; the provider is asked again with the next login.",
  });
}

/** HTTP Basic is asked for where the password is ours, a bearer's token at the userinfo endpoint. */
function challenged({ cause }: WWWAuthenticateChallengeError, settings: SsoSettings): HomelabError {
  const ours = cause.some(({ scheme }) => scheme.toLowerCase() === "basic");
  return answered(ours ? "invalid_client" : "invalid_token", settings);
}

/** The provider's own words for an error; only those that look like OAuth's are repeated. */
function answered(word: string, settings: SsoSettings): HomelabError {
  const shown = /^[a-z_]{1,40}$/.test(word) ? word : "an error";
  if (CLIENT_REFUSED.has(word)) {
    const hint = "Compare sso.client_id and sso.client_secret with the provider's; homelab up applies a change.";
    return unavailable(`it does not accept us as a client (${shown})`, settings, hint);
  }
  if (word === "server_error" || word === "temporarily_unavailable") return unavailable(`it says ${shown}`, settings);
  if (word !== "access_denied") return failed(`${settings.issuer} answered ${shown}`);
  return new HomelabError("sso_refused", `${settings.issuer} does not let this account in (${shown})`, {
    hint: "Who may use this client is decided at the provider.",
  });
}

const failed = (sentence: string) =>
  new HomelabError("sso_failed", sentence, { hint: "Begin again on the login page." });

/** `connect ECONNREFUSED …` rather than `fetch failed`; an HTTP status where that is what was wrong. */
function reason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Response) return `it answered with HTTP status ${cause.status}`;
  return errorMessage(cause instanceof Error ? cause : error);
}
