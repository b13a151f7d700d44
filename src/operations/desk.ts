import { HomelabError } from "../core/errors.ts";
import type { RunId } from "../core/ids.ts";
import type { Journal, Run, StepEntry } from "../journal/journal.ts";
import type { Site } from "../site/site.ts";
import type { AnyOperation } from "./operation.ts";
import { planOperation, type PlannedStep } from "./plan.ts";
import { registry } from "./registry.ts";
import { Detach, Runner, type Begun } from "./runner.ts";

/** Something that a follower of a run is told. Lines of its history have a number to resume from; the rest is passing. */
export type RunEvent =
  | { kind: "entry"; entry: StepEntry }
  | { kind: "progress"; step: string; progress: NonNullable<Run["progress"]> }
  | { kind: "end"; run: Run };

/** Milliseconds between two looks into the journal while a run is followed. */
const LOOK_EVERY = 60;

/** Seconds that a new run waits for the lock of another one, before its caller is told who is at it. */
const LOCK_PATIENCE = 10;

/** Seconds that a caller waits for a run that another hub took over. */
const ELSEWHERE = 30;

/** A run that was left to others goes on: that is no error of it. */
function unlessLeft(error: unknown): undefined {
  if (error instanceof Detach || (error instanceof HomelabError && error.code === "lease_lost")) return;
  throw error;
}

/** A runner with a site of its own: two runs at once must not share sessions, since one may be inside a transaction. */
export interface Bench {
  runner: Runner;
  /** Called once the run has ended, or nothing was begun. */
  done(): void;
}

/** What a desk works with. */
export interface DeskOptions {
  /** For looking: what checks and guards of a dry run ask. */
  site: Site;
  journal: Journal;
  takeBench(): Bench;
}

/** Where callers ask for operations: it begins them, lets them be waited for and followed, and stops them. */
export class Desk {
  readonly #options: DeskOptions;
  readonly #journal: Journal;
  readonly #looking: Runner;
  readonly #ended = new Set<(operation: string) => void>();

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#journal = options.journal;
    this.#looking = new Runner({ site: options.site, journal: options.journal, registry });
  }

  operation(name: string): AnyOperation {
    return this.#looking.operation(name);
  }

  /**
   * Begins a run and answers once it has passed its guards; it goes on by itself.
   * @throws HomelabError of the guard that refused it; `input_invalid`, `not_found`, `busy`
   */
  async begin(name: string, input: unknown, caller: string): Promise<Run> {
    const begun = await this.#begin(name, input, caller);
    await begun.admitted.catch(unlessLeft);
    return this.get(begun.id);
  }

  /** Begins a run and answers at its end. @throws HomelabError with the operation's own error */
  async complete(name: string, input: unknown, caller: string): Promise<Run> {
    const begun = await this.#begin(name, input, caller);
    const finished = await begun.finished.catch(unlessLeft);
    return finished ? finished.run : this.#endElsewhere(begun.id);
  }

  /** The end of a run that another process goes on with. */
  async #endElsewhere(id: string): Promise<Run> {
    const run = await this.wait(id, ELSEWHERE);
    if (run.state === "completed") return run;
    if (run.error) throw new HomelabError(run.error.code, run.error.message, { hint: run.error.hint });
    throw new HomelabError("deadline_passed", `${run.operation} goes on elsewhere and has not ended yet`, {
      hint: `homelab op watch ${id} follows it.`,
    });
  }

  /** What would be done. @throws HomelabError of the guard that would refuse it */
  async plan(name: string, input: unknown): Promise<{ operation: string; dry_run: true; steps: PlannedStep[] }> {
    const operation = this.operation(name);
    const steps = await planOperation(operation, this.#looking.parse(operation, input), this.#options.site);
    return { operation: name, dry_run: true, steps };
  }

  /** @throws HomelabError `not_found` */
  async get(id: string): Promise<Run> {
    const run = await this.#journal.get(id as RunId);
    if (!run)
      throw new HomelabError("not_found", `there is no operation ${id}`, { hint: "homelab op list shows them." });
    return run;
  }

  /** The run at its end, or as it is after `seconds`. */
  async wait(id: string, seconds: number, signal?: AbortSignal): Promise<Run> {
    const end = Date.now() + seconds * 1000;
    let run = await this.get(id);
    const goesOn = () => run.state === "running" && Date.now() < end && signal?.aborted !== true;
    while (goesOn()) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK_EVERY, Math.max(1, end - Date.now()))));
      run = await this.get(id);
    }
    return run;
  }

  /** What happens in a run, from behind the line `after` to its end. All who follow it see the same. */
  async *follow(id: string, after: number, signal: AbortSignal): AsyncGenerator<RunEvent> {
    let seen = after;
    let shown = "";
    for (let run = await this.get(id); !signal.aborted; run = await this.get(id)) {
      // The run was read first: when it is over, its last line is in the journal already.
      for (const entry of await this.#journal.entries(run.id, seen)) {
        seen = entry.seq;
        yield { kind: "entry", entry };
      }
      if (run.state !== "running") return yield { kind: "end", run };
      const progress = JSON.stringify(run.progress);
      if (run.progress && run.currentStep && progress !== shown)
        yield { kind: "progress", step: run.currentStep, progress: run.progress };
      shown = progress;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    }
  }

  /** Asks a run to stop at its next step; one whose process is gone is taken back here. @throws HomelabError `not_found`, `already_ended` */
  async cancel(id: string): Promise<Run> {
    const run = await this.get(id);
    if (!(await this.#journal.requestCancel(run.id)))
      throw new HomelabError("already_ended", `${run.id} is ${run.state} already`);
    const bench = this.#options.takeBench();
    await bench.runner.tryResume(run).finally(() => bench.done());
    return this.get(id);
  }

  /** Calls back whenever a run that was begun here has ended, before whoever waits for it goes on. */
  onEnd(listener: (operation: string) => void): void {
    this.#ended.add(listener);
  }

  async #begin(name: string, input: unknown, caller: string): Promise<Begun> {
    const bench = this.#options.takeBench();
    try {
      const begun = await bench.runner.begin(name, input, { caller, waitForLock: LOCK_PATIENCE });
      const end = () => {
        bench.done();
        for (const listener of this.#ended) listener(name);
      };
      begun.finished.then(end, end);
      return begun;
    } catch (error) {
      bench.done();
      throw error;
    }
  }
}
