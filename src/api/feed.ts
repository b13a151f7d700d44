import { randomBytes } from "node:crypto";
import type { Message } from "./call.ts";

/** So many events are kept for those who were cut off. */
const KEPT = 1000;

interface Numbered extends Message {
  id: string;
}

/** What happens in the whole installation, for everybody who watches: a ring of the newest events, each with a number. */
export class Feed {
  /** Numbers begin anew with each process: an id of another one means nothing here. */
  readonly #epoch = randomBytes(4).toString("hex");
  readonly #events: Numbered[] = [];
  readonly #waiting = new Set<() => void>();
  #count = 0;
  #followers = 0;
  #since: number | undefined;

  /** Since when somebody watches, in milliseconds since 1970; undefined while nobody does. */
  get followedSince(): number | undefined {
    return this.#followers > 0 ? this.#since : undefined;
  }

  publish(event: string, data: unknown): void {
    this.#count += 1;
    this.#events.push({ id: `${this.#epoch}-${this.#count}`, event, data });
    if (this.#events.length > KEPT) this.#events.shift();
    for (const wake of this.#waiting) wake();
  }

  /**
   * Everything behind the event `last`, and then what comes. Whoever was away for longer than is kept, or knew another
   * process, is told with `reset` to look at everything anew.
   */
  async *follow(last: string | undefined, signal: AbortSignal): AsyncGenerator<Message> {
    this.#followers += 1;
    if (this.#followers === 1) this.#since = Date.now();
    try {
      yield* this.#behind(last, signal);
    } finally {
      this.#followers -= 1;
    }
  }

  async *#behind(last: string | undefined, signal: AbortSignal): AsyncGenerator<Message> {
    let next = this.#startBehind(last);
    if (next === undefined) {
      yield { id: `${this.#epoch}-${this.#count}`, event: "reset", data: {} };
      next = this.#count + 1;
    }
    while (!signal.aborted) {
      const first = this.#count - this.#events.length + 1;
      if (next < first) return;
      for (const event of this.#events.slice(next - first)) {
        yield event;
        next += 1;
      }
      if (next > this.#count) await this.#wait(signal);
    }
  }

  /** The number to go on with; undefined when that cannot be known. */
  #startBehind(last: string | undefined): number | undefined {
    if (last === undefined) return this.#count + 1;
    const [epoch, text] = last.split("-");
    const number = Number(text);
    const kept = number >= this.#count - this.#events.length && number <= this.#count;
    return epoch === this.#epoch && kept ? number + 1 : undefined;
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    this.#waiting.delete(resolve);
  }
}
