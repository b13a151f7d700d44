import { sleep } from "../core/clock.ts";
import { HomelabError } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { Claim, Journal, Run, StepEntry } from "../journal/journal.ts";
import { orAborted, startDeadline } from "./deadline.ts";
import { readHistory, type History } from "./history.ts";
import { isBracket, stepNames, type AnyOperation, type Bracket, type Step, type StepContext } from "./operation.ts";
import type { Site } from "../site/site.ts";

/** The moments at which a process may die: a test, or HOMELAB_CRASH_AT, makes it die there. */
export interface CrashPoint {
  operation: string;
  step: string;
  moment: "before-effect" | "after-effect" | "after-journal";
}

/** What a walk needs beside the operation. */
export interface WalkOptions {
  site: Site;
  journal: Journal;
  signal: AbortSignal;
  onCrashPoint?: (point: CrashPoint) => Promise<void>;
  onEntry?: (run: Run, entry: Pick<StepEntry, "step" | "event" | "says">) => void;
  onProgress?: (run: Run, step: string, progress: Run["progress"]) => void;
}

type Input = unknown;

/** Milliseconds for which the exit of a bracket is tried again. */
const EXIT_PATIENCE = 20_000;

/** Does something until it succeeds or the time is up; then its last error is thrown. */
async function insist(attempt: () => Promise<void>, patience: number): Promise<void> {
  const end = Date.now() + patience;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() >= end || isLeaseLost(error)) throw error;
      await sleep(500);
    }
  }
}

/** Another process took the run over, or may: this one may change nothing more. */
export const isLeaseLost = (error: unknown): boolean => error instanceof HomelabError && error.code === "lease_lost";

/** One pass over an operation's list, from behind the last barrier. */
export class Walk {
  readonly #operation: AnyOperation;
  readonly #run: Run;
  readonly #claim: Claim;
  readonly #options: WalkOptions;
  readonly #input: Input;
  #history!: History;

  constructor(operation: AnyOperation, run: Run, claim: Claim, input: Input, options: WalkOptions) {
    this.#operation = operation;
    this.#run = run;
    this.#claim = claim;
    this.#input = input;
    this.#options = options;
  }

  /** Reads the journal and walks. */
  async forward(): Promise<void> {
    this.#history = readHistory(this.#operation, await this.#options.journal.entries(this.#run.id));
    for (const item of this.#operation.steps) {
      if (isBracket(item)) await this.#bracket(item);
      else await this.#step(item);
    }
    await this.#confirm();
  }

  /** Takes back what this run did, the last first, as far as the last barrier. Answers what could not be taken back. */
  async backward(): Promise<string[]> {
    const left: string[] = [];
    this.#history = readHistory(this.#operation, await this.#options.journal.entries(this.#run.id));
    await this.#leaveOpenBrackets();
    for (const name of this.#history.touched.toReversed()) {
      const step = this.#find(name);
      if (!step?.undo || this.#isBehindBarrier(name)) continue;
      try {
        await this.#append(name, "undoing");
        await this.#within(step, (context) => step.undo!(context));
        await this.#append(name, "undone");
      } catch (error) {
        if (isLeaseLost(error)) throw error;
        left.push(name);
      }
    }
    return left;
  }

  /** The context for guards and results, outside of any step. */
  context(signal = this.#options.signal): StepContext<Input> {
    return {
      input: this.#input,
      site: this.#options.site,
      runId: this.#run.id,
      signal,
      output: <T extends Json>(step: string) => this.#history?.done.get(step) as T | undefined,
      progress: () => {},
    };
  }

  async #step(step: Step<Input>): Promise<void> {
    if (this.#isBehindBarrier(step.name)) return;
    await this.#stopIfAsked();
    if (!(await this.#needsWork(step))) {
      if (!this.#history.done.has(step.name)) await this.#append(step.name, "skipped");
      return;
    }
    await this.#append(step.name, "started");
    await this.#dieAt(step, "before-effect");
    const { says, output } = await this.#within(step, (context) => step.run(context));
    await this.#dieAt(step, "after-effect");
    this.#history.done.set(step.name, output ?? null);
    await this.#append(step.name, "done", { says, output: output ?? null, barrier: step.barrier === true });
    await this.#dieAt(step, "after-journal");
  }

  async #bracket(bracket: Bracket<Input>): Promise<void> {
    const busy = await this.#anyNeedsWork(bracket.steps);
    if (!busy && !this.#history.open.has(bracket.name)) {
      for (const step of bracket.steps) await this.#step(step);
      return;
    }
    if (busy) {
      await this.#append(bracket.name, "entered");
      this.#history.open.add(bracket.name);
    }
    try {
      if (busy) await bracket.enter(this.context());
      await this.#dieAt(bracket, "after-effect");
      for (const step of bracket.steps) await this.#step(step);
    } catch (error) {
      // Whoever took the run over is inside now, and leaves.
      if (!isLeaseLost(error)) await this.#leave(bracket);
      throw error;
    }
    await this.#leave(bracket);
  }

  async #leave(bracket: Bracket<Input>): Promise<void> {
    const { signal } = this.#options;
    if (isLeaseLost(signal.reason)) throw signal.reason;
    // Not with the caller's signal: a bracket is left even when the run was cancelled. And not once: what the exit speaks
    // to may just be starting again, while whoever waits inside the bracket waits.
    const exit = () => bracket.exit(this.context(new AbortController().signal));
    await insist(exit, EXIT_PATIENCE);
    this.#history.open.delete(bracket.name);
    await this.#append(bracket.name, "left");
  }

  async #leaveOpenBrackets(): Promise<void> {
    for (const item of this.#operation.steps) {
      if (isBracket(item) && this.#history.open.has(item.name)) await this.#leave(item);
    }
  }

  async #anyNeedsWork(steps: Step<Input>[]): Promise<boolean> {
    for (const step of steps) if (!this.#isBehindBarrier(step.name) && (await this.#needsWork(step))) return true;
    return false;
  }

  /** The check decides; only where there is none does the journal. */
  async #needsWork(step: Step<Input>): Promise<boolean> {
    if (!step.check) return !this.#history.done.has(step.name);
    return !(await this.#within(step, (context) => step.check!(context)));
  }

  /** At the end, every check behind the last barrier and outside of brackets must hold. They only look, so all look at once. */
  async #confirm(): Promise<void> {
    this.#history = readHistory(this.#operation, await this.#options.journal.entries(this.#run.id));
    const steps = this.#operation.steps.filter(
      (item): item is Step<Input> => !isBracket(item) && item.check !== undefined && !this.#isBehindBarrier(item.name),
    );
    // All of them have ended before anything is taken back.
    const looks = await Promise.allSettled(steps.map((step) => this.#needsWork(step)));
    for (const [i, look] of looks.entries()) {
      if (look.status === "rejected") throw look.reason;
      if (look.value) {
        throw new HomelabError("step_failed", `${steps[i]!.name} was done, but at the end it does not hold`, {
          hint: "Something else changes the same thing. homelab op retry tries once more.",
        });
      }
    }
  }

  async #within<T>(step: Step<Input>, work: (context: StepContext<Input>) => Promise<T>): Promise<T> {
    const deadline = startDeadline(step.name, step.deadline, this.#options.signal);
    const context = this.context(deadline.signal);
    context.progress = (progress) => {
      deadline.extend();
      this.#options.onProgress?.(this.#run, step.name, progress);
      this.#options.journal.progress(this.#claim, progress).catch(() => {});
    };
    try {
      return await orAborted(work(context), deadline.signal);
    } finally {
      deadline.clear();
    }
  }

  async #append(step: string, event: StepEntry["event"], more: Partial<StepEntry> = {}): Promise<void> {
    await this.#options.journal.append(this.#claim, { ...more, step, event }, more.barrier === true);
    this.#options.onEntry?.(this.#run, { step, event, says: more.says ?? null });
  }

  async #dieAt(step: { name: string }, moment: CrashPoint["moment"]): Promise<void> {
    await this.#options.onCrashPoint?.({ operation: this.#operation.name, step: step.name, moment });
  }

  async #stopIfAsked(): Promise<void> {
    this.#options.signal.throwIfAborted();
    const run = await this.#options.journal.get(this.#run.id);
    if (run?.cancelRequested) throw new HomelabError("cancelled", `${this.#operation.name} was cancelled`);
  }

  #find(name: string): Step<Input> | undefined {
    return this.#operation.steps
      .flatMap((item) => (isBracket(item) ? item.steps : [item]))
      .find((step) => step.name === name);
  }

  #isBehindBarrier(name: string): boolean {
    return stepNames(this.#operation).indexOf(name) <= this.#history.barrierIndex;
  }
}
