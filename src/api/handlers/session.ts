import type { Accounts } from "../../accounts/accounts.ts";
import type { Caller } from "../../accounts/audit.ts";
import type { Actor } from "../../accounts/roles.ts";
import { addressOf } from "../caller.ts";
import type { Handlers } from "../call.ts";
import type { accountsContract } from "../contract/accounts.ts";
import type { Services } from "../services.ts";
import { meBody } from "./account-bodies.ts";
import { clearedCookie, ownToken, requestOf, sessionCookie } from "./cookies.ts";
import { ssoHandlers } from "./sso.ts";

/** The first admin, and signing in and out. */
type SessionRoutes = Pick<
  typeof accountsContract,
  | "GET /api/setup"
  | "POST /api/setup"
  | "POST /api/setup/link"
  | "GET /api/session"
  | "POST /api/session"
  | "DELETE /api/session"
  | "POST /api/session/confirm"
  | "POST /api/session/password"
  | "GET /api/session/sso"
  | "GET /api/session/sso/callback"
>;

/** Who asks for a change, in which request. */
export const callerOf = ({ actor, request }: { actor: Actor; request: { id: string } }): Caller => ({
  actor,
  requestId: request.id,
});

export const noContent = { status: 204 as const, body: undefined };

/** Who one is: made, proven, and forgotten again. */
export function sessionHandlers(services: Services, accounts: () => Accounts): Handlers<SessionRoutes> {
  return {
    ...ssoHandlers(services, accounts),
    "GET /api/setup": async () => {
      const { sso } = services.settings;
      return { status: 200, body: { needed: accounts().setupNeeded ?? null, sso: sso ? { name: sso.name } : null } };
    },
    "POST /api/setup": async (call) => {
      const { body, request, actor } = call;
      const { user_name: name, password } = body;
      // On the node itself, whoever asks could make a link as well.
      const token = body.token ?? (actor.kind === "local" ? await setupToken(accounts(), callerOf(call)) : "");
      await accounts().setUp({ token, name, password }, { address: addressOf(request), requestId: request.id });
      // A command has no use for a browser's session.
      if (actor.kind === "local") return { status: 201, body: meBody({ name, role: "admin" }) };
      const signedIn = await accounts().login({ ...requestOf(request), name, password });
      return { status: 201, body: meBody(signedIn.user), headers: sessionCookie(request, signedIn) };
    },
    "POST /api/setup/link": async (call) => {
      const { token, expiresAt } = await accounts().createSetupLink(callerOf(call));
      const path = `${services.settings.hub.base_path}/setup#${token.reveal()}`;
      return { status: 201, body: { path, expires_at: expiresAt } };
    },
    "GET /api/session": async ({ actor: { name, kind, role, scopes } }) => ({
      status: 200,
      body: { name, kind, role, scopes: [...scopes] },
    }),
    "POST /api/session": async ({ body: { user_name: name, password }, request }) => {
      const signedIn = await accounts().login({ ...requestOf(request), name, password });
      return { status: 200, body: meBody(signedIn.user), headers: sessionCookie(request, signedIn) };
    },
    "DELETE /api/session": async (call) => {
      const token = ownToken(call.request);
      if (token) await accounts().logout(callerOf(call), token);
      return { ...noContent, headers: clearedCookie(call.request) };
    },
    "POST /api/session/confirm": async (call) => {
      await accounts().confirmPassword(callerOf(call), call.body.password);
      return noContent;
    },
    "POST /api/session/password": async (call) => {
      await accounts().changePassword(callerOf(call), call.body);
      return noContent;
    },
  };
}

const setupToken = async (accounts: Accounts, caller: Caller): Promise<string> =>
  (await accounts.createSetupLink(caller)).token.reveal();
