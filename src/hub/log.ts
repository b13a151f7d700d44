import { errorMessage } from "../core/errors.ts";
import { logLine, type LogLevel } from "../core/log.ts";
import type { Json } from "../core/json.ts";

/** Milliseconds that lines are collected: one write for many requests. */
const FLUSH_EVERY = 50;

/** The hub's log: lines of JSON on standard output, which the agent keeps in a file. */
export class HubLog {
  #held: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  say(level: LogLevel, message: string, facts: { [key: string]: Json } = {}): void {
    this.#held.push(logLine(level, "hub", message, facts));
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_EVERY);
  }

  /** What went wrong on our side, with what a developer needs of it. */
  fault(message: string, error: unknown): void {
    const stack = error instanceof Error ? (error.stack ?? "") : "";
    this.say("error", `${message}: ${errorMessage(error)}`, { stack: stack.split("\n").slice(1, 8).join("\n") });
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#held.join("");
    this.#held = [];
    if (text) process.stdout.write(text);
  }
}
