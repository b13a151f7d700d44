import { sleep } from "../core/clock.ts";
import { HomelabError } from "../core/errors.ts";
import { isAway } from "../store/away.ts";

/** How long the other store is waited for, and how often it is looked for while it is away; both in milliseconds. */
export interface Patience {
  answer: number;
  again: number;
}

const PATIENCE: Patience = { answer: 1000, again: 1500 };

/**
 * The way to a store that may be away. The first call that it does not answer in time costs that time; from then on
 * nobody waits, and it is looked for in the background until it is back.
 */
export class Reach {
  readonly #probe: () => Promise<unknown>;
  readonly #back: () => void;
  readonly #patience: Patience;
  readonly #end = new AbortController();
  #away = false;

  /** `probe` asks the store anything; `back` is told when it answers again. */
  constructor(probe: () => Promise<unknown>, back: () => void, patience = PATIENCE) {
    this.#probe = probe;
    this.#back = back;
    this.#patience = patience;
  }

  get isAway(): boolean {
    return this.#away;
  }

  /** @throws HomelabError `platform_database_away`, or whatever the store itself throws */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    if (this.#away) throw away();
    try {
      return await this.#within(question());
    } catch (error) {
      if (isAway(error)) this.#leave();
      throw error;
    }
  }

  close(): void {
    this.#away = true;
    this.#end.abort();
  }

  async #within<T>(answer: Promise<T>): Promise<T> {
    const clear = new AbortController();
    // What it answers later, nobody waits for.
    answer.catch(() => {});
    const late = sleep(this.#patience.answer, clear.signal).then(() => Promise.reject(away()));
    late.catch(() => {});
    return Promise.race([answer, late]).finally(() => clear.abort());
  }

  #leave(): void {
    if (this.#away) return;
    this.#away = true;
    void this.#lookFor();
  }

  async #lookFor(): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      await sleep(this.#patience.again, signal).catch(() => {});
      const found = await this.#within(this.#probe()).then(
        () => true,
        () => false,
      );
      if (!found || signal.aborted) continue;
      this.#away = false;
      return this.#back();
    }
  }
}

const away = (): HomelabError => new HomelabError("platform_database_away", "the platform's database does not answer");
