import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  type Configuration,
  fetchUserInfo,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from "openid-client";
import { type Clock, systemClock } from "../core/clock.ts";
import type { Secret } from "../core/secret.ts";
import type { SsoSettings } from "../config/sso.ts";
import { localPath } from "./local-path.ts";
import { ssoError } from "./sso-errors.ts";
import { type Claims, identityOf, type SsoIdentity } from "./sso-identity.ts";
import { SsoProvider } from "./sso-provider.ts";
import { type PendingLogin, StateSeal } from "./sso-state.ts";

/** What single sign-on goes by. */
export interface SsoOptions {
  settings: SsoSettings;
  /** Seals logins that are under way; the same on every hub of an installation. */
  key: Secret;
  clock?: Clock;
}

/** The first half of a login. */
export interface SsoBeginning {
  /** Where the browser is sent. */
  url: string;
  /** For a cookie of 10 minutes: HttpOnly, and SameSite=Lax, because the browser comes back from elsewhere. */
  state: string;
}

/** The second half: who it is, and the page that was asked for. */
export interface SsoLogin extends SsoIdentity {
  returnTo: string;
}

/** Logins through an OpenID Connect provider: authorization code flow with PKCE, state and nonce. */
export class SingleSignOn {
  readonly #settings: SsoSettings;
  readonly #provider: SsoProvider;
  readonly #seal: StateSeal;

  constructor({ settings, key, clock = systemClock }: SsoOptions) {
    this.#settings = settings;
    this.#provider = new SsoProvider(settings, clock);
    this.#seal = new StateSeal(key, `${settings.issuer} ${settings.client_id}`, clock);
  }

  /**
   * Begins a login; `redirectUri` is our callback's URL, as it is registered at the provider.
   * @throws HomelabError `sso_unavailable`
   */
  async begin(redirectUri: string, returnTo: string): Promise<SsoBeginning> {
    const client = await this.#provider.client();
    const login: PendingLogin = {
      state: randomState(),
      nonce: randomNonce(),
      verifier: randomPKCECodeVerifier(),
      redirectUri,
      returnTo: localPath(returnTo),
    };
    const url = buildAuthorizationUrl(client, {
      redirect_uri: redirectUri,
      scope: this.#settings.scopes.join(" "),
      state: login.state,
      nonce: login.nonce,
      code_challenge: await calculatePKCECodeChallenge(login.verifier),
      code_challenge_method: "S256",
    });
    return { url: url.href, state: this.#seal.seal(login) };
  }

  /**
   * Finishes a login, once. Of the callback's URL only the query counts: a request's host and scheme are the client's
   * word, and the provider compares the address that it was given first.
   * @throws HomelabError `sso_failed`, `sso_refused`, `sso_unavailable`
   */
  async finish(callbackUrl: string, sealedState: string): Promise<SsoLogin> {
    const { search, searchParams } = new URL(callbackUrl, "http://localhost");
    const login = this.#seal.open(sealedState, searchParams.get("state"));
    const callback = new URL(login.redirectUri);
    callback.search = search;
    try {
      const claims = await exchange(await this.#provider.client(), callback, login);
      return { ...identityOf(claims, this.#settings), returnTo: login.returnTo };
    } catch (error) {
      throw ssoError(error, this.#settings);
    }
  }
}

/**
 * The code for an id_token, which the library checks (issuer, audience, nonce, times, signature), and that for more:
 * many providers hand out names and groups at the userinfo endpoint alone. What is signed wins.
 */
async function exchange(client: Configuration, callback: URL, login: PendingLogin): Promise<Claims> {
  const tokens = await authorizationCodeGrant(client, callback, {
    expectedState: login.state,
    expectedNonce: login.nonce,
    pkceCodeVerifier: login.verifier,
    idTokenExpected: true,
  });
  const signed = tokens.claims()!;
  const more = client.serverMetadata().userinfo_endpoint
    ? await fetchUserInfo(client, tokens.access_token, signed.sub)
    : {};
  return { ...more, ...signed };
}
