import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Provider, type ProviderContext } from "oidc-provider";
import { memoryStore } from "./oidc-store.ts";

/** The claims of an account, or of a token. */
type Claims = Record<string, unknown>;

/** A client as it is registered at the provider. */
export interface RegisteredClient {
  client_id: string;
  client_secret?: string;
  token_endpoint_auth_method?: "client_secret_basic" | "client_secret_post" | "none";
  redirect_uris: string[];
}

/** What the provider is to know. */
export interface ProviderOptions {
  clients: RegisteredClient[];
  /** By their subjects. Whoever logs in as `nobody-at-all` is denied. */
  accounts: Record<string, Claims>;
  /** The ways in which clients may show who they are; all by default. */
  clientAuthMethods?: string[];
}

/** The login that the provider answers with `access_denied`. */
export const DENIED = "nobody-at-all";

const FORM = '<form method="post"><input name="login"><button>Log in</button></form>';

/** A real OpenID Connect provider on a free port of this machine, whose login takes a name and no password. */
export class TestProvider {
  readonly #options: ProviderOptions;
  readonly #store = memoryStore();
  #server: Server | undefined;
  #provider: Provider | undefined;
  #key = newKey();
  #port = 0;
  /** Changes the id_tokens that are handed out. */
  forgeClaims: ((claims: Claims) => Claims) | undefined;
  /** Signs them with a key that the provider does not publish. */
  forgeKey = false;
  /** How often each path was asked for. */
  readonly asked = new Map<string, number>();

  private constructor(options: ProviderOptions) {
    this.#options = options;
  }

  static async start(options: ProviderOptions): Promise<TestProvider> {
    const provider = new TestProvider(options);
    await provider.comeBack();
    return provider;
  }

  get issuer(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Signs with a new key from now on, and knows nothing of the old one. */
  rotateKeys(): void {
    this.#key = newKey();
    this.#provider = this.#make();
  }

  /** Stops answering. */
  async goAway(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  }

  /** Answers again, at the same port. */
  async comeBack(): Promise<void> {
    const server = createServer((request, response) => void this.#answer(request, response));
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    this.#provider ??= this.#make();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!.split("?")[0]!;
    this.asked.set(path, (this.asked.get(path) ?? 0) + 1);
    if (!path.startsWith("/login/")) return this.#provider!.callback()(request, response);
    if (request.method === "GET") return void response.setHeader("content-type", "text/html").end(FORM);
    const body = (await request.toArray()).join("");
    const accountId = new URLSearchParams(body).get("login")!;
    const result = accountId === DENIED ? { error: "access_denied" } : { login: { accountId } };
    await this.#provider!.interactionFinished(request, response, result);
  }

  #make(): Provider {
    const { clients, accounts, clientAuthMethods } = this.#options;
    const provider = new Provider(this.issuer, {
      adapter: this.#store,
      clients: clients.map((client) => ({ ...client, id_token_signed_response_alg: "ES256" })),
      jwks: { keys: [{ ...this.#key.private.export({ format: "jwk" }), kid: this.#key.id, alg: "ES256", use: "sig" }] },
      ...(clientAuthMethods ? { clientAuthMethods } : {}),
      cookies: { keys: [randomBytes(16).toString("hex")] },
      scopes: ["openid", "profile", "email", "groups"],
      claims: { profile: ["name", "preferred_username"], email: ["email", "email_verified"], groups: ["groups"] },
      features: { devInteractions: { enabled: false } },
      enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
      interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/login/${uid}` },
      findAccount: (_context: unknown, id: string) =>
        accounts[id] && { accountId: id, claims: () => ({ ...accounts[id], sub: id }) },
      // Everybody has consented to everything.
      loadExistingGrant: async ({ oidc }: ProviderContext) => {
        const of = { clientId: oidc.client.clientId, accountId: oidc.session.accountId };
        const grant = new provider.Grant(of);
        grant.addOIDCScope("openid profile email groups");
        await grant.save();
        return grant;
      },
      ttl: { AccessToken: 60, AuthorizationCode: 60, Grant: 600, IdToken: 60, Interaction: 600, Session: 600 },
    });
    provider.use((context, next) => this.#forge(context, next));
    return provider;
  }

  async #forge(context: ProviderContext, next: () => Promise<void>): Promise<void> {
    await next();
    const body = context.body as { id_token?: string } | undefined;
    if (typeof body?.id_token !== "string" || !(this.forgeClaims || this.forgeKey)) return;
    const claims = JSON.parse(Buffer.from(body.id_token.split(".")[1]!, "base64url").toString()) as Claims;
    const key = this.forgeKey ? { ...newKey(), id: this.#key.id } : this.#key;
    context.body = { ...body, id_token: signToken(this.forgeClaims?.(claims) ?? claims, key) };
  }
}

interface Key {
  id: string;
  private: KeyObject;
}

const newKey = (): Key => ({
  id: randomBytes(8).toString("hex"),
  private: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
});

function signToken(claims: Claims, key: Key): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "ES256", kid: key.id })}.${part(claims)}`;
  const signature = sign("sha256", Buffer.from(text), { key: key.private, dsaEncoding: "ieee-p1363" });
  return `${text}.${signature.toString("base64url")}`;
}
