import { isAway } from "../store/away.ts";
import type { PlatformDatabase } from "../store/database.ts";

/** What a watch works with. */
export interface WatchOptions {
  database: PlatformDatabase;
  /** What is notified at each change. */
  channel: string;
  /** Milliseconds between two looks. */
  everyMs: number;
  /** Looks what changed. It throws where the database is away. */
  look: () => Promise<void>;
  /** Called with what was notified. */
  heard: (payload: string) => void;
  /** An error that is none of a database that is away. */
  onError: (error: unknown) => void;
}

/** Hears of changes at once, and looks now and then for what it may have missed while nobody spoke to it. */
export class Watch {
  readonly #options: WatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #listening: { close(): Promise<void> } | undefined;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Looks for the first time; comes back whether the database answered or not. */
  start(): Promise<void> {
    this.#looking = this.#look();
    return this.#looking;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
    await this.#listening?.close();
  }

  async #look(): Promise<void> {
    const { look, onError, everyMs } = this.#options;
    try {
      // First the ear, then the eye: nothing can happen in between.
      await this.#listen();
      await look();
    } catch (error) {
      if (!isAway(error)) onError(error);
    }
    if (!this.#stopped) this.#timer = setTimeout(() => void this.start(), everyMs).unref();
  }

  async #listen(): Promise<void> {
    if (this.#listening || this.#stopped) return;
    const { database, channel, heard } = this.#options;
    this.#listening = await database.listen(channel, heard, () => (this.#listening = undefined));
  }
}
