import { HomelabError } from "../core/errors.ts";
import { parseDuration } from "../core/units.ts";
import type { Context } from "./context.ts";

/** Node's timers take no more milliseconds. */
const LONGEST = 2 ** 31 - 1;

/** A caller who may go away while an operation goes on: by Ctrl-C, or because --timeout has passed. */
export class Departure {
  readonly #controller = new AbortController();
  readonly #flags: Context["flags"];
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #interrupted = () => this.#controller.abort();
  #timedOut = false;

  /** @throws HomelabError `usage` */
  constructor({ flags }: Pick<Context, "flags">) {
    this.#flags = flags;
    const seconds = flags.timeout === undefined ? undefined : secondsOf(flags.timeout);
    if (seconds !== undefined) this.#timer = setTimeout(() => this.#timeOut(), Math.min(seconds * 1000, LONGEST));
    process.once("SIGINT", this.#interrupted);
  }

  /** Aborted when the caller goes away. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What a caller who went away is told: how to follow what goes on. */
  error(hint: string): HomelabError {
    const { timeout = "" } = this.#flags;
    const within = /[a-z]/.test(timeout) ? timeout : `${timeout} s`;
    return this.#timedOut
      ? new HomelabError("deadline_passed", `not done within ${within}; the operation goes on`, { hint })
      : new HomelabError("detached", "detached; the operation goes on", { hint });
  }

  end(): void {
    clearTimeout(this.#timer);
    process.removeListener("SIGINT", this.#interrupted);
  }

  #timeOut(): void {
    this.#timedOut = true;
    this.#controller.abort();
  }
}

/** Seconds of --timeout, which takes 30, 30s or 5min. */
function secondsOf(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : parseDuration(text);
  if (seconds === undefined || seconds <= 0) throw new HomelabError("usage", `--timeout ${text}: expected seconds`);
  return seconds;
}
