import { formatBytes, formatSeconds } from "../core/units.ts";
import { printable } from "../core/text.ts";
import type { Progress, StepEntry } from "../journal/journal.ts";
import type { WalkOptions } from "../operations/walk.ts";
import type { Context } from "./context.ts";
import { paint } from "./output.ts";

/** Shows a run on standard error: a line for each step, and on a terminal a live one for the step under way. */
export interface Follower {
  listeners: Pick<WalkOptions, "onEntry" | "onProgress">;
  end(): void;
}

/** An operation shorter than this many milliseconds is not worth a line for each of its steps. */
const QUIET_FOR = 300;

export function makeFollower({ flags }: Pick<Context, "flags">): Follower {
  const silent = flags.json === true;
  const lines = new StepLines(silent);
  return {
    listeners: {
      onEntry: (_run, entry) => lines.entry(entry),
      onProgress: (_run, step, progress) => progress && lines.progress(step, progress),
    },
    end: () => lines.end(),
  };
}

/** Keeps the lines of a short operation back, and prints them as soon as it turns out to take longer. */
class StepLines {
  readonly #silent: boolean;
  readonly #begun = performance.now();
  readonly #live = process.stderr.isTTY === true;
  #held: string[] = [];
  #stepBegun = 0;

  constructor(silent: boolean) {
    this.#silent = silent;
  }

  entry({ step, event, says }: Pick<StepEntry, "step" | "event" | "says">): void {
    if (event === "started") {
      this.#stepBegun = performance.now();
      this.#transient(`  ▸ ${words(step)}`);
    }
    const seconds = (performance.now() - this.#stepBegun) / 1000;
    if (event === "done")
      this.#line(
        `  ${paint("green", "✓", process.stderr)} ${words(step).padEnd(22)} ${paint("dim", formatSeconds(seconds).padStart(7), process.stderr)}  ${printable(says ?? "")}`,
      );
    if (event === "undone") this.#line(`  ↶ ${words(step)} taken back`);
    if (event === "entered" || event === "left")
      this.#line(`  · ${words(step)}${event === "left" ? " no longer" : ""}`);
  }

  progress(step: string, { done, total, unit }: Progress): void {
    const amount = unit === "bytes" ? formatBytes(done) : `${done} ${unit}`;
    const of = total
      ? ` of ${unit === "bytes" ? formatBytes(total) : total} (${Math.floor((done / total) * 100)} %)`
      : "";
    this.#transient(`  ▸ ${words(step)}  ${amount}${of}`);
  }

  end(): void {
    if (this.#live && !this.#silent) process.stderr.write("\r\x1b[K");
  }

  #line(text: string): void {
    this.#held.push(text);
    if (this.#silent || performance.now() - this.#begun < QUIET_FOR) return;
    for (const line of this.#held) process.stderr.write(`${this.#live ? "\r\x1b[K" : ""}${line}\n`);
    this.#held = [];
  }

  #transient(text: string): void {
    if (this.#live && !this.#silent && performance.now() - this.#begun >= QUIET_FOR)
      process.stderr.write(`\r\x1b[K${text}`);
  }
}

/** `create-database` reads as "create database". */
const words = (step: string): string => step.replaceAll("-", " ");
