import { createHash } from "node:crypto";
import { HomelabError } from "../core/errors.ts";
import type { Attempt, Call, Mounted, Other, Sent } from "./call.ts";
import type { Endpoint } from "./endpoint.ts";

/** What is kept under a key. */
export interface KeptAnswer {
  /** What was asked: another request under the same key is a mistake. */
  fingerprint: string;
  /** Null from the moment at which something was begun until there is an answer. */
  answer: Sent | null;
}

/** Where answers are kept for a day, so that they outlive this process. It may be away: then this process remembers alone. */
export interface AnswerStore {
  find(id: string): Promise<KeptAnswer | undefined>;
  keep(id: string, kept: KeptAnswer): Promise<void>;
}

interface Asked {
  fingerprint: string;
  answer: Promise<Sent | Other>;
}

type Work = (attempt: Attempt) => Promise<Sent | Other>;

/** Without a key nothing is known of an earlier try, and nothing is kept for a later one. */
export const FIRST: Attempt = { isBegun: false, begin: async () => {} };

/** A key as clients make them: no longer than Stripe allows, and nothing that would steer a terminal. */
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** So many answers are remembered in this process. */
const REMEMBERED = 2000;

/**
 * `Idempotency-Key` on POST: whatever is sent again under a key gets the first answer again, and has no second effect
 * (IETF draft "The Idempotency-Key HTTP Header Field"). Those who send it at once wait for the same one.
 */
export class Idempotency {
  readonly #store: AnswerStore | undefined;
  readonly #asked = new Map<string, Asked>();

  constructor(store?: AnswerStore) {
    this.#store = store;
  }

  /** @throws HomelabError `idempotency_mismatch`, `input_invalid`; and what `work` throws, which is not kept */
  async once(call: Call<Endpoint>, { method }: Mounted, work: Work): Promise<Sent | Other> {
    const key = call.request.headers["idempotency-key"];
    if (method !== "POST" || key === undefined) return work(FIRST);
    if (typeof key !== "string" || !IDEMPOTENCY_KEY.test(key))
      throw new HomelabError("input_invalid", "Idempotency-Key: expected 1 to 255 visible ASCII characters");
    const { request, actor } = call;
    const fingerprint = digest([request.method, request.url, request.rawBody ?? ""]);
    return this.#answer(digest([actor.name, key]), fingerprint, work);
  }

  async #answer(id: string, fingerprint: string, work: Work): Promise<Sent | Other> {
    let asked = this.#asked.get(id);
    if (!asked) {
      asked = { fingerprint, answer: this.#attempt(id, fingerprint, work) };
      this.#remember(id, asked);
      // A failure is not an answer: the same may be tried again.
      asked.answer.catch(() => this.#asked.delete(id));
    }
    if (asked.fingerprint !== fingerprint) throw mismatch();
    return asked.answer;
  }

  async #attempt(id: string, fingerprint: string, work: Work): Promise<Sent | Other> {
    const kept = await this.#store?.find(id).catch(() => undefined);
    if (kept && kept.fingerprint !== fingerprint) throw mismatch();
    if (kept?.answer) return kept.answer;
    const keep = async (answer: Sent | null) => this.#store?.keep(id, { fingerprint, answer }).catch(() => {});
    const answer = await work({ isBegun: kept !== undefined, begin: () => keep(null) });
    if ("status" in answer && !("text" in answer) && !("stream" in answer)) await keep(answer);
    return answer;
  }

  #remember(id: string, asked: Asked): void {
    this.#asked.set(id, asked);
    if (this.#asked.size > REMEMBERED) this.#asked.delete(this.#asked.keys().next().value!);
  }
}

const mismatch = (): HomelabError =>
  new HomelabError("idempotency_mismatch", "this Idempotency-Key was used for another request", {
    hint: "Take a new key for each new request.",
  });

const digest = (parts: string[]): string => createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
