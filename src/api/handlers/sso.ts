import type { FastifyRequest } from "fastify";
import type { Accounts } from "../../accounts/accounts.ts";
import type { SingleSignOn } from "../../accounts/sso.ts";
import { HomelabError } from "../../core/errors.ts";
import { isHttps } from "../caller.ts";
import type { Handlers } from "../call.ts";
import type { accountsContract } from "../contract/accounts.ts";
import type { Services } from "../services.ts";
import { requestOf, sessionCookie } from "./cookies.ts";

type SsoRoutes = Pick<typeof accountsContract, "GET /api/session/sso" | "GET /api/session/sso/callback">;

const STATE_COOKIE = "homelab_sso";

/** Seconds that a person may take at the provider. */
const STATE_LIFETIME = 600;

/** Signing in through an OpenID Connect provider: two redirects. */
export function ssoHandlers(services: Services, accounts: () => Accounts): Handlers<SsoRoutes> {
  const { settings, site } = services;
  let client: Promise<SingleSignOn> | undefined;
  const singleSignOn = (): Promise<SingleSignOn> => {
    const sso = settings.sso;
    if (!sso)
      throw new HomelabError("not_found", "single sign-on is not set up here", {
        hint: "The block sso in homelab.yaml does it; the guide has a page on it.",
      });
    // The library is loaded by the first who needs it.
    return (client ??= (async () => {
      const [{ SingleSignOn: Client }, secrets] = await Promise.all([import("../../accounts/sso.ts"), site.secrets()]);
      return new Client({ settings: sso, key: secrets.hub_seal });
    })());
  };
  const base = (request: FastifyRequest) => `${request.protocol}://${request.host}${settings.hub.base_path}`;
  const stateCookie = (request: FastifyRequest, value: string, maxAge: number) =>
    request.server.serializeCookie(STATE_COOKIE, value, {
      ...{ httpOnly: true, sameSite: "lax", secure: isHttps(request), maxAge },
      path: `${settings.hub.base_path}/api/session/sso`,
    });
  return {
    "GET /api/session/sso": async ({ query, request }) => {
      const { url, state } = await (
        await singleSignOn()
      ).begin(`${base(request)}/api/session/sso/callback`, query.return_to);
      const headers = { location: url, "set-cookie": stateCookie(request, state, STATE_LIFETIME) };
      return { status: 302, text: "", type: "text/plain", headers };
    },
    "GET /api/session/sso/callback": async ({ request }) => {
      const sealed = request.cookies[STATE_COOKIE] ?? "";
      const url = `${base(request)}/api/session/sso/callback${/\?.*$/.exec(request.url)?.[0] ?? ""}`;
      const { returnTo, ...identity } = await (await singleSignOn()).finish(url, sealed);
      const signedIn = await accounts().loginWithSso({ ...requestOf(request), identity });
      const location = `${settings.hub.base_path}${returnTo}`;
      const cookies = [sessionCookie(request, signedIn)["set-cookie"]!, stateCookie(request, "", 0)];
      return { status: 302, text: "", type: "text/plain", headers: { location, "set-cookie": cookies } };
    },
  };
}
