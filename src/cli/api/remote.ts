import { HomelabError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import { sendHttp } from "./http.ts";
import { ConnectionFailed, type ApiRequest, type ApiResponse, type Transport } from "./transport.ts";

/** A hub elsewhere, and the key to it. */
export interface Remote {
  url: URL;
  key: Secret;
}

/** The hub that HOMELAB_URL names; undefined without it. @throws HomelabError `usage` */
export function remoteOf(env: NodeJS.ProcessEnv): Remote | undefined {
  const text = env["HOMELAB_URL"];
  if (!text) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol) || url.search || url.hash)
    throw new HomelabError("usage", "HOMELAB_URL is no address of a hub", {
      hint: "It looks like https://db.example.org or http://192.168.1.10:5000.",
    });
  if (url.username || url.password)
    throw new HomelabError("usage", "HOMELAB_URL holds a login", { hint: "The key belongs into HOMELAB_API_KEY." });
  const key = env["HOMELAB_API_KEY"]?.trim();
  if (!key)
    throw new HomelabError("usage", "HOMELAB_URL is set, and HOMELAB_API_KEY is not", {
      hint: "homelab key create makes a key, on the node.",
    });
  if (!/^[\x21-\x7e]+$/.test(key)) throw new HomelabError("usage", "HOMELAB_API_KEY holds what no key holds");
  return { url, key: new Secret(key) };
}

/** The way to a hub elsewhere. The key goes to this very address and nowhere else: redirects are not followed. */
export class RemoteTransport implements Transport {
  readonly where: string;
  readonly #remote: Remote;

  constructor(remote: Remote) {
    this.#remote = remote;
    this.where = remote.url.href.replace(/\/$/, "");
  }

  async send(request: ApiRequest): Promise<ApiResponse> {
    const { url, key } = this.#remote;
    try {
      return await sendHttp({ url }, { ...request, headers: { ...request.headers, "x-api-key": key.reveal() } });
    } catch (error) {
      if (error instanceof ConnectionFailed) throw this.#explained(error);
      throw error;
    }
  }

  async close(): Promise<void> {}

  /** What a person can do about it, where that can be told. */
  #explained(error: ConnectionFailed): Error {
    const { hostname } = this.#remote.url;
    if (TLS.test(error.reason))
      return new HomelabError("failed", `the certificate of ${hostname} is not to be trusted: ${error.message}`, {
        hint: "If its authority is your own: NODE_EXTRA_CA_CERTS=/path/to/ca.crt",
        cause: error,
      });
    if (error.reason === "EPROTO")
      return new HomelabError("failed", `${this.where} does not speak TLS`, {
        hint: "Try it with http://.",
        cause: error,
      });
    if (error.reason === "ENOTFOUND" || error.reason === "EAI_AGAIN")
      return new HomelabError("not_running", `there is no ${hostname}, or its name cannot be looked up`, {
        hint: "HOMELAB_URL names it.",
        cause: error,
      });
    if (!error.refused) return error;
    return new HomelabError("not_running", `nothing answers at ${this.where} (${error.reason || error.message})`, {
      hint: "On the node, homelab status shows whether the hub runs, and network.listen where it listens.",
      cause: error,
    });
  }
}

/** How Node names what is wrong with a certificate (Node.js manual, "TLS/SSL: X509 certificate error codes"). */
const TLS = /CERT|SIGNATURE|UNABLE_TO_|INVALID_CA|PATH_LENGTH|SELF_SIGNED|HOSTNAME_MISMATCH/;
