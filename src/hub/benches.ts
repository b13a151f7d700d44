import type { Bench } from "../operations/desk.ts";
import { Runner, type RunnerOptions } from "../operations/runner.ts";
import type { Site } from "../site/site.ts";

/** Sites that are kept for the next run: a login costs more than many a run. */
const KEPT = 4;

/** Hands out a runner with a site of its own to each run. */
export class Benches {
  readonly #open: () => Site;
  readonly #options: Omit<RunnerOptions, "site" | "signal">;
  readonly #signal: () => AbortSignal;
  readonly #idle: Site[] = [];
  readonly #busy = new Set<Promise<void>>();

  /** `signal` is asked for each run: it ends when this process may no longer run operations. */
  constructor(open: () => Site, signal: () => AbortSignal, options: Omit<RunnerOptions, "site" | "signal">) {
    this.#open = open;
    this.#signal = signal;
    this.#options = options;
  }

  take(): Bench {
    const site = this.#idle.pop() ?? this.#open();
    const runner = new Runner({ ...this.#options, site, signal: this.#signal() });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#busy.add(promise);
    const done = () => {
      this.#busy.delete(promise);
      resolve();
      this.#giveBack(site);
    };
    return { runner, done };
  }

  /** Once every run that was begun at a bench has ended, or was left to others. */
  async allDone(): Promise<void> {
    while (this.#busy.size > 0) await Promise.all(this.#busy);
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((site) => site.close()));
  }

  #giveBack(site: Site): void {
    if (this.#idle.length < KEPT) this.#idle.push(site);
    else void site.close();
  }
}
