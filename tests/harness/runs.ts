import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { systemClock } from "../../src/core/clock.ts";
import { openFileJournal } from "../../src/journal/file.ts";
import type { Journal, StepEntry } from "../../src/journal/journal.ts";
import type { AnyOperation, Bracket, Operation, Step } from "../../src/operations/operation.ts";
import { Runner, type RunnerOptions } from "../../src/operations/runner.ts";
import type { CrashPoint } from "../../src/operations/walk.ts";
import type { Site } from "../../src/site/site.ts";

/** What operations of a test change: facts that are true or not, and a line for each thing that was done. */
export class World {
  readonly facts = new Set<string>();
  readonly done: string[] = [];

  /** A step that makes the fact of its own name true. */
  step(name: string, more: Partial<Step<TestInput>> = {}): Step<TestInput> {
    return {
      name,
      plan: () => `make ${name} true`,
      check: async () => this.facts.has(name),
      run: async () => {
        this.done.push(name);
        this.facts.add(name);
        return { says: `${name} is true` };
      },
      undo: async () => {
        this.done.push(`undo ${name}`);
        this.facts.delete(name);
      },
      deadline: 20,
      ...more,
    };
  }

  /** A bracket around steps: inside, the fact of its name is true. */
  bracket(name: string, steps: Step<TestInput>[]): Bracket<TestInput> {
    return {
      kind: "bracket",
      name,
      enter: async () => {
        this.done.push(`enter ${name}`);
        this.facts.add(name);
      },
      exit: async () => {
        this.done.push(`exit ${name}`);
        this.facts.delete(name);
      },
      steps,
    };
  }
}

export interface TestInput {
  name?: string;
}

/** An operation `test.do` of these steps. */
export const testOperation = (
  steps: Operation<TestInput>["steps"],
  more: Partial<Operation<TestInput>> = {},
): AnyOperation => ({
  name: "test.do",
  summary: "for tests",
  title: () => "Do the test",
  scope: "admin",
  route: null,
  command: "up",
  input: z.strictObject({ name: z.string().optional() }),
  locks: () => ["test"],
  guards: [],
  steps,
  result: async () => "all done",
  ...more,
});

/** Runners as several processes would have them, on one journal. */
export class RunBench {
  readonly folder: string;
  readonly #dead = new Set<number>();
  readonly #journals: Journal[] = [];
  #pid = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<RunBench> {
    return new RunBench(await mkdtemp(join(tmpdir(), "hl-runs-")));
  }

  /** A runner of a process of its own; `die` makes the others see that process as dead. */
  process(operations: AnyOperation[], more: Partial<RunnerOptions> = {}) {
    const pid = ++this.#pid;
    const journal = openFileJournal({
      path: join(this.folder, "journal.db"),
      clock: systemClock,
      holder: { pid, startTicks: "1", bootId: "boot" },
      isAlive: (holder) => !this.#dead.has(holder.pid),
    });
    this.#journals.push(journal);
    const site = { clock: systemClock } as unknown as Site;
    const runner = new Runner({ site, journal, registry: operations, ...more });
    return { runner, journal, die: () => void this.#dead.add(pid) };
  }

  /** Starts an operation in a process that dies at `point`: its call never comes back. Answers once it is dead. */
  async dieAt(operation: AnyOperation, at: Pick<CrashPoint, "step" | "moment">, input: TestInput = {}): Promise<void> {
    await new Promise<void>((dead, broken) => {
      const doomed = this.process([operation], {
        onCrashPoint: async ({ step, moment }) => {
          if (step !== at.step || moment !== at.moment) return;
          doomed.die();
          dead();
          await new Promise(() => {});
        },
      });
      doomed.runner
        .start(operation.name, input, { caller: "test" })
        .then(() => broken(new Error(`it never came to ${at.step} ${at.moment}`)), broken);
    });
  }

  async destroy(): Promise<void> {
    for (const journal of this.#journals) await journal.close();
    await rm(this.folder, { recursive: true });
  }
}

/** A run's history as short words: `a started`, `a done`. */
export const shortEntries = (entries: StepEntry[]): string[] => entries.map(({ step, event }) => `${step} ${event}`);
