import { setTimeout as delay } from "node:timers/promises";
import { HomelabError } from "./errors.ts";

/** Milliseconds since the epoch: injected, so that a test can let days pass. */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** Waits `ms` milliseconds; rejects at once when the signal is aborted. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal });
}

/** How `waitUntil` waits. */
export interface Wait {
  /** Seconds until it gives up. */
  timeout: number;
  /** Milliseconds between two looks; 50 by default. */
  every?: number;
  signal?: AbortSignal;
  /** What is waited for, for the sentence of the error. */
  what: string;
  /** Called when it gives up: why it was not so, in words (the last log line, say). */
  why?: () => Promise<string | undefined> | string | undefined;
}

/**
 * Asks `probe` again and again until it answers something other than undefined or false, and returns that answer.
 * @throws HomelabError `deadline_passed` after `timeout` seconds.
 */
export async function waitUntil<T>(probe: () => Promise<T | undefined | false>, wait: Wait): Promise<T> {
  const end = Date.now() + wait.timeout * 1000;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() >= end) {
      const why = await wait.why?.();
      throw new HomelabError("deadline_passed", `${wait.what}: not so after ${wait.timeout} s${why ? `. ${why}` : ""}`);
    }
    await sleep(wait.every ?? 50, wait.signal);
  }
}
