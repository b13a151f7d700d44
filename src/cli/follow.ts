import { formatBytes, formatSeconds } from "../core/units.ts";
import { printable } from "../core/text.ts";
import type { Progress, StepEntry } from "../journal/journal.ts";
import type { Context } from "./context.ts";
import { paint } from "./output.ts";

/** An operation shorter than this many milliseconds is not worth a line for each of its steps. */
const QUIET_FOR = 300;

/** A line of a run's history, as far as it is shown. */
export type ShownEntry = Pick<StepEntry, "at" | "step" | "event" | "says">;

/** Shows a run on standard error: a line for each step, and on a terminal a live one for the step under way. */
export const makeFollower = ({ flags }: Pick<Context, "flags">): StepLines => new StepLines(flags.json === true);

/** Keeps the lines of a short operation back, and prints them as soon as it turns out to take longer. */
export class StepLines {
  readonly #silent: boolean;
  readonly #begun = performance.now();
  readonly #live = process.stderr.isTTY === true;
  readonly #timer: NodeJS.Timeout;
  #held: string[] = [];
  #underWay = "";
  #stepBegun = 0;

  constructor(silent: boolean) {
    this.#silent = silent;
    this.#timer = setTimeout(() => this.#show(), QUIET_FOR).unref();
  }

  entry({ at, step, event, says }: ShownEntry): void {
    if (event === "started") {
      this.#stepBegun = Date.parse(at);
      this.#transient(`  ▸ ${words(step)}`);
    }
    const seconds = Math.max(0, Date.parse(at) - this.#stepBegun) / 1000;
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
    clearTimeout(this.#timer);
    if (this.#live && !this.#silent) process.stderr.write("\r\x1b[K");
  }

  #line(text: string): void {
    this.#held.push(text);
    this.#underWay = "";
    this.#show();
  }

  #transient(text: string): void {
    this.#underWay = text;
    this.#show();
  }

  #show(): void {
    // Timers are a moment early now and then.
    if (this.#silent || performance.now() - this.#begun < QUIET_FOR - 5) return;
    const start = this.#live ? "\r\x1b[K" : "";
    for (const line of this.#held) process.stderr.write(`${start}${line}\n`);
    this.#held = [];
    if (this.#live && this.#underWay) process.stderr.write(`${start}${this.#underWay}`);
  }
}

/** `create-database` reads as "create database". */
const words = (step: string): string => step.replaceAll("-", " ");
