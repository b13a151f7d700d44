import { HomelabError } from "../core/errors.ts";

/** What was seen, when, and whether a newer look failed. */
export interface Observed<T> {
  value: T;
  /** RFC 3339. */
  observedAt: string;
  stale: boolean;
}

/** How a report is asked for. */
export interface Look {
  /** Milliseconds for which an answer is given again without another look; 0 looks each time. */
  freshFor: number;
  /** Milliseconds that a caller waits for a look; then it gets what was known before. */
  patience?: number;
}

interface Memory {
  value: unknown;
  at: number;
  failed: boolean;
  /** Something was changed since: it is looked at again before it is given again. */
  outdated: boolean;
}

/** A page of the API is to answer within a second, whatever is the matter with the engines (faults: degradation). */
const PATIENCE = 800;

/** So many reports are remembered. */
const REMEMBERED = 500;

/**
 * Remembers the last answer of each report. Callers who ask at once share one look, and where a look fails or takes
 * too long they get the last answer with its age: one dead part never blanks the page.
 */
export class Remembered {
  readonly #memories = new Map<string, Memory>();
  readonly #looks = new Map<string, Promise<unknown>>();
  readonly #patience: number;

  constructor(patience = PATIENCE) {
    this.#patience = patience;
  }

  /** @throws the look's own error where nothing was ever seen; HomelabError `engine_unreachable` when it takes too long */
  async ask<T>(
    key: string,
    { freshFor, patience = this.#patience }: Look,
    look: () => Promise<T>,
  ): Promise<Observed<T>> {
    const known = this.#memories.get(key);
    if (known && !known.failed && !known.outdated && Date.now() - known.at < freshFor) return observed<T>(known);
    try {
      await within(this.#lookOnce(key, look), patience);
    } catch (error) {
      const before = this.#memories.get(key);
      if (!before || !isAway(error)) throw error;
      before.failed = true;
    }
    return observed<T>(this.#memories.get(key)!);
  }

  /** What was seen before a change is not to be shown after it. */
  forget(prefix: string): void {
    for (const key of this.#memories.keys()) if (key.startsWith(prefix)) this.#memories.get(key)!.outdated = true;
    for (const key of this.#looks.keys()) if (key.startsWith(prefix)) this.#looks.delete(key);
  }

  /** The newest stands last: questions differ by what callers put into them, and are not to take the memory. */
  #remember(key: string, memory: Memory): void {
    this.#memories.delete(key);
    this.#memories.set(key, memory);
    if (this.#memories.size > REMEMBERED) this.#memories.delete(this.#memories.keys().next().value!);
  }

  #lookOnce(key: string, look: () => Promise<unknown>): Promise<unknown> {
    const running = this.#looks.get(key);
    if (running) return running;
    const begun = Date.now();
    const done = look().then((value) => {
      this.#remember(key, { value, at: begun, failed: false, outdated: false });
      return value;
    });
    const tracked = done.finally(() => this.#looks.get(key) === tracked && this.#looks.delete(key));
    tracked.catch(() => {});
    this.#looks.set(key, tracked);
    return tracked;
  }
}

const observed = <T>({ value, at, failed }: Memory): Observed<T> => ({
  value: value as T,
  observedAt: new Date(at).toISOString(),
  stale: failed,
});

/** Only what cannot be reached is worth an old answer: a refusal is the answer. */
const isAway = (error: unknown): boolean =>
  !(error instanceof HomelabError) ||
  ["engine_unreachable", "platform_database_away", "deadline_passed"].includes(error.code);

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new HomelabError("engine_unreachable", `no answer within ${ms} ms`, {
          hint: "homelab health shows what is down.",
        }),
      );
    }, ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
