import {
  allowInsecureRequests,
  type ClientAuth,
  ClientSecretPost,
  Configuration,
  discovery,
  enableNonRepudiationChecks,
  None,
  type ServerMetadata,
} from "openid-client";
import type { Clock } from "../core/clock.ts";
import type { HomelabError } from "../core/errors.ts";
import type { SsoSettings } from "../config/sso.ts";
import { ssoError, unavailable } from "./sso-errors.ts";

/** Milliseconds for which the provider's description of itself is believed. */
const FRESH = 5 * 60_000;
/** Milliseconds between two questions to a provider that does not answer: from the first, doubled, to the second. */
const BACK_OFF = [1000, 60_000] as const;
/** Seconds that one request may take. */
const TIMEOUT = 5;

/** The provider as it describes itself (OpenID Connect Discovery), kept for a while, and left alone while it is away. */
export class SsoProvider {
  readonly #settings: SsoSettings;
  readonly #clock: Clock;
  #known: { metadata: ServerMetadata; until: number } | undefined;
  #failure: { error: HomelabError; count: number; until: number } | undefined;
  /** One question for all who ask at once. */
  #asking: Promise<ServerMetadata> | undefined;

  constructor(settings: SsoSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /**
   * Us as the provider's client, made anew for each login: with it go the provider's keys, which may change at any time.
   * @throws HomelabError `sso_unavailable`
   */
  async client(): Promise<Configuration> {
    const metadata = await this.#metadata();
    const { client_id: id, client_secret: secret, issuer } = this.#settings;
    const client = new Configuration(metadata, id, { client_secret: secret }, clientAuth(metadata, secret));
    client.timeout = TIMEOUT;
    // A token from the provider's own TLS connection could go unchecked; over http, or through a proxy, it could not.
    enableNonRepudiationChecks(client);
    if (issuer.startsWith("http:")) allowInsecureRequests(client);
    return client;
  }

  async #metadata(): Promise<ServerMetadata> {
    const now = this.#clock.now();
    if (this.#known && now < this.#known.until) return this.#known.metadata;
    if (this.#failure && now < this.#failure.until) throw this.#failure.error;
    return (this.#asking ??= this.#ask().finally(() => (this.#asking = undefined)));
  }

  async #ask(): Promise<ServerMetadata> {
    try {
      const metadata = await discover(this.#settings);
      this.#known = { metadata, until: this.#clock.now() + FRESH };
      this.#failure = undefined;
      return metadata;
    } catch (thrown) {
      const error = ssoError(thrown, this.#settings);
      const count = (this.#failure?.count ?? 0) + 1;
      const wait = Math.min(BACK_OFF[0] * 2 ** (count - 1), BACK_OFF[1]);
      this.#failure = { error, count, until: this.#clock.now() + wait };
      throw error;
    }
  }
}

async function discover(settings: SsoSettings): Promise<ServerMetadata> {
  const { issuer, client_id: id } = settings;
  const execute = issuer.startsWith("http:") ? [allowInsecureRequests] : [];
  const found = await discovery(new URL(issuer), id, undefined, None(), { execute, timeout: TIMEOUT }).catch(
    (error) => {
      throw nameMismatch(error, settings) ?? error;
    },
  );
  const metadata = found.serverMetadata();
  // The library lets some issuers of Microsoft through that stand for every tenant there is.
  if (new URL(metadata.issuer).href !== new URL(issuer).href) throw otherName(metadata.issuer, settings);
  return metadata;
}

/** A slash too many is the commonest mistake: the provider is there, but calls itself something else. */
function nameMismatch(error: unknown, settings: SsoSettings): HomelabError | undefined {
  const cause = (error as Error).cause as { attribute?: string; body?: { issuer?: string } } | undefined;
  return cause?.attribute === "issuer" ? otherName(String(cause.body?.issuer), settings) : undefined;
}

const otherName = (name: string, settings: SsoSettings) =>
  unavailable(`it calls itself ${name.slice(0, 200)}`, settings, "Write sso.issuer exactly as the provider has it.");

/**
 * How our password travels. As HTTP Basic where the provider takes it, which is what its clients are registered for
 * unless somebody chose otherwise; unlike the library's, it leaves `-`, `.` and `_` as they are, because there are
 * providers that do not decode them (authentik).
 */
function clientAuth(metadata: ServerMetadata, secret: string | undefined): ClientAuth {
  if (secret === undefined) return None();
  const methods = metadata.token_endpoint_auth_methods_supported;
  if (methods && !methods.includes("client_secret_basic")) return ClientSecretPost(secret);
  const encode = (text: string) => new URLSearchParams({ "": text }).toString().slice(1);
  return (_server, { client_id: id }, _body, headers) => {
    const login = Buffer.from(`${encode(id)}:${encode(secret)}`).toString("base64");
    headers.set("authorization", `Basic ${login}`);
  };
}
