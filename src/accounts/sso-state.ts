import { createHash } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { HomelabError } from "../core/errors.ts";
import { Seal } from "../core/sealed.ts";
import type { Secret } from "../core/secret.ts";

/** What a login has to remember while the browser is at the provider. */
export interface PendingLogin {
  state: string;
  nonce: string;
  /** PKCE's code verifier. */
  verifier: string;
  redirectUri: string;
  /** The page that was asked for before the login. */
  returnTo: string;
}

/** Milliseconds that a person may take at the provider. */
const LIFETIME = 10 * 60_000;

/**
 * Keeps logins that are under way in the browser, sealed (AES-256-GCM): nothing to store, and any hub with the same key
 * can finish what another one began.
 */
export class StateSeal {
  readonly #seal: Seal;
  readonly #clock: Clock;
  /** Logins that were finished here, until they would have expired. Elsewhere the provider's code has been spent. */
  readonly #used = new Map<string, number>();

  /** What was sealed for another context (provider, client) does not open. */
  constructor(key: Secret, context: string, clock: Clock) {
    // A digest, since what a key is derived for may not be as long as an issuer's address.
    const digest = createHash("sha256").update(context).digest("hex");
    this.#seal = new Seal(key, `single sign-on state ${digest}`);
    this.#clock = clock;
  }

  seal(login: PendingLogin): string {
    return this.#seal.seal(JSON.stringify({ ...login, expires: this.#clock.now() + LIFETIME }));
  }

  /**
   * Opens a seal, once: only for the browser that brings back both the cookie and the state that the provider was given.
   * @throws HomelabError `sso_failed`
   */
  open(sealed: string, state: string | null): PendingLogin {
    const { expires, ...login } = this.#decrypt(sealed);
    if (expires <= this.#clock.now()) throw refusal("the login took longer than 10 minutes");
    // Compared before it is spent: a foreign link to the callback does not end a login that is under way.
    if (login.state !== state) throw refusal("the answer belongs to another login");
    this.#spend(login.state, expires);
    return login;
  }

  #decrypt(sealed: string): PendingLogin & { expires: number } {
    const text = this.#seal.open(sealed);
    // Which byte was wrong is nobody's business.
    if (text === undefined) throw refusal("this login was not begun here");
    return JSON.parse(text) as PendingLogin & { expires: number };
  }

  #spend(state: string, expires: number): void {
    for (const [known, until] of this.#used) if (until <= this.#clock.now()) this.#used.delete(known);
    if (this.#used.has(state)) throw refusal("this login was finished before");
    this.#used.set(state, expires);
  }
}

const refusal = (sentence: string) =>
  new HomelabError("sso_failed", sentence, { hint: "Begin again on the login page." });
