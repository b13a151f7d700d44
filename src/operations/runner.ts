import { sleep } from "../core/clock.ts";
import { errorMessage, errorRecord, HomelabError } from "../core/errors.ts";
import { newRunId, type RunId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import type { Claim, Run } from "../journal/journal.ts";
import { checkFrozenSteps } from "./history.ts";
import { stepNames, type AnyOperation } from "./operation.ts";
import { isLeaseLost, Walk, type WalkOptions } from "./walk.ts";

/** The reason of a signal by which a run is left to others, and what `start` throws then: it goes on elsewhere. */
export class Detach extends Error {
  readonly runId: RunId | undefined;

  constructor(runId?: RunId) {
    super("detached");
    this.runId = runId;
  }
}

export interface RunnerOptions extends Omit<WalkOptions, "signal"> {
  registry: readonly AnyOperation[];
  signal?: AbortSignal;
}

/** How a run is asked for. */
export interface StartOptions {
  caller: string;
  /** Seconds to wait for another run that holds a lock; 30 by default. */
  waitForLock?: number;
}

/** A finished run with its result. @see Runner.start */
export interface Finished {
  run: Run;
  result: Json;
}

/** A run that was begun, or one that was under way already. */
export interface Begun {
  id: RunId;
  /** Whether this call began it; false for one that was under way. */
  fresh: boolean;
  /** When it has passed its guards. Rejects with the error of the guard that refused it. */
  admitted: Promise<void>;
  /** Its end. Rejects with the operation's own error. */
  finished: Promise<Finished>;
}

/** Milliseconds between two renewals of the lease; a sixth of its length. */
const RENEW_EVERY = 5000;

/** Starts, joins and resumes runs. */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #signal: AbortSignal;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#signal = options.signal ?? new AbortController().signal;
  }

  /**
   * Runs an operation to its end. The same operation with the same input, when it is under way, is joined and not
   * begun twice; an interrupted run that holds a lock is finished first.
   * @throws HomelabError with the operation's own error; `busy` when a lock stays taken.
   */
  async start(name: string, rawInput: unknown, options: StartOptions): Promise<Finished> {
    return (await this.begin(name, rawInput, options)).finished;
  }

  /**
   * The same, but answers as soon as the run is in the journal.
   * @throws HomelabError `input_invalid`, `not_found`; `busy` when a lock stays taken.
   */
  async begin(name: string, rawInput: unknown, options: StartOptions): Promise<Begun> {
    const operation = this.operation(name);
    const input = this.parse(operation, rawInput);
    const id = newRunId(this.#options.site.clock.now());
    const end = Date.now() + (options.waitForLock ?? 30) * 1000;
    const request = {
      id,
      operation: name,
      title: operation.title(input),
      input: input as Json,
      steps: stepNames(operation),
      locks: operation.locks(input),
      caller: options.caller,
    };
    for (;;) {
      const admission = await this.#options.journal.begin(request);
      if (admission.kind === "claimed") return this.#launch((await this.#get(id))!, admission.claim);
      if (admission.kind === "same") return this.#joined(admission.run.id);
      const resumed = await this.tryResume(admission.run);
      if (resumed) continue;
      if (Date.now() > end) throw this.#busy(admission.lock, admission.run);
      await this.#pause(100);
    }
  }

  #launch(run: Run, claim: Claim): Begun {
    let admit!: () => void;
    const passed = new Promise<void>((resolve) => (admit = resolve));
    const finished = this.#execute(run, claim, admit);
    // Whoever only waits for the guards does not hear of a later failure: that one is in the journal.
    finished.catch(() => {});
    const admitted = Promise.race([passed, finished.then(() => undefined)]);
    admitted.catch(() => {});
    return { id: run.id, fresh: true, admitted, finished };
  }

  #joined(id: RunId): Begun {
    const finished = this.join(id);
    finished.catch(() => {});
    return { id, fresh: false, admitted: Promise.resolve(), finished };
  }

  /** Waits for a run that somebody else does, and goes on with it should that somebody die. */
  async join(id: RunId): Promise<Finished> {
    for (;;) {
      const run = await this.#get(id);
      if (!run)
        throw new HomelabError("not_found", `there is no operation ${id}`, { hint: "homelab op list shows them." });
      if (run.state !== "running") return this.#outcome(run);
      const claim = await this.#options.journal.takeOver(id);
      if (claim) return this.#execute(run, claim);
      await this.#pause(50, id);
    }
  }

  /** Goes on with an interrupted run, if it is one; its own failure is in the journal and not thrown. */
  async tryResume(run: Run): Promise<boolean> {
    const claim = await this.#options.journal.takeOver(run.id);
    if (!claim) return false;
    try {
      await this.#execute(run, claim);
    } catch (error) {
      if (error instanceof Detach) throw error;
      return !isStepsUnknown(error);
    }
    return true;
  }

  /** Finds an operation by its name. @throws HomelabError `not_found` */
  operation(name: string): AnyOperation {
    const found = this.#options.registry.find((operation) => operation.name === name);
    if (!found) throw new HomelabError("not_found", `there is no operation ${name}`);
    return found;
  }

  /** Checks an input against the operation's schema. @throws HomelabError `input_invalid` */
  parse(operation: AnyOperation, rawInput: unknown): unknown {
    const parsed = operation.input.safeParse(rawInput);
    if (parsed.success) return parsed.data;
    const errors = parsed.error.issues.map((issue) => ({
      field: issue.path.join("."),
      message: issue.message.replace(/^Invalid (input|string|option): /, ""),
    }));
    throw new HomelabError("input_invalid", errors.map((e) => `${e.field || "input"}: ${e.message}`).join("; "), {
      errors,
    });
  }

  async #execute(run: Run, claim: Claim, onAdmitted?: () => void): Promise<Finished> {
    const { journal } = this.#options;
    const renewal = setInterval(() => void journal.renew(claim).catch(() => clearInterval(renewal)), RENEW_EVERY);
    renewal.unref();
    try {
      const { operation, input } = this.#recognise(run);
      const walk = new Walk(operation, run, claim, input, { ...this.#options, signal: this.#signal });
      await this.#walk(operation, run, claim, walk, onAdmitted);
    } catch (error) {
      if (isStepsUnknown(error)) await this.#leaveAsItIs(run, claim, error);
      throw error;
    } finally {
      clearInterval(renewal);
    }
    return this.#outcome((await this.#get(run.id))!);
  }

  /** The operation of a run, and its input; another version may have begun it. @throws HomelabError `steps_unknown` */
  #recognise(run: Run): { operation: AnyOperation; input: unknown } {
    try {
      const operation = this.operation(run.operation);
      checkFrozenSteps(operation, run.steps);
      return { operation, input: this.parse(operation, run.input) };
    } catch (cause) {
      if (isStepsUnknown(cause)) throw cause;
      throw new HomelabError(
        "steps_unknown",
        `${run.operation} is not known here as it was begun: ${errorMessage(cause)}`,
        {
          hint: "Finish it with the version that began it, or cancel it: homelab op cancel <id>.",
          cause,
        },
      );
    }
  }

  /** Nothing is run and nothing taken back, since the journal would be misread; it ends only when that was asked for. */
  async #leaveAsItIs(run: Run, claim: Claim, error: unknown): Promise<void> {
    const { journal } = this.#options;
    if ((await this.#get(run.id))?.cancelRequested)
      await journal.finish(claim, "cancelled", { error: errorRecord(error) });
    else await journal.release(claim);
  }

  /** Waits a moment, unless the caller goes away: then what was waited for goes on without it. */
  async #pause(ms: number, id?: RunId): Promise<void> {
    await sleep(ms, this.#signal).catch(() => {
      throw new Detach(id);
    });
  }

  async #walk(operation: AnyOperation, run: Run, claim: Claim, walk: Walk, onAdmitted?: () => void): Promise<void> {
    const { journal } = this.#options;
    try {
      if ((await journal.entries(run.id)).length === 0) await this.#guard(operation, claim, walk);
      onAdmitted?.();
      await walk.forward();
      await journal.finish(claim, "completed", { result: await operation.result(walk.context()) });
    } catch (error) {
      if (error instanceof Refused) return;
      if (this.#signal.aborted) {
        // It may have been taken over already; then there is nothing to give up.
        await journal.release(claim).catch((cause: unknown) => !isLeaseLost(cause) && Promise.reject(cause));
        throw new Detach(run.id);
      }
      if (isLeaseLost(error)) throw error;
      await this.#giveUp(claim, walk, error);
    }
  }

  async #guard(operation: AnyOperation, claim: Claim, walk: Walk): Promise<void> {
    // They only look, so all look at once; the first of the list has the word.
    const looks = await Promise.allSettled(operation.guards.map((guard) => guard(walk.context())));
    const refusal = looks.find((look) => look.status === "rejected");
    if (!refusal) return;
    await this.#options.journal.finish(claim, "refused", { error: errorRecord(refusal.reason) });
    throw new Refused();
  }

  async #giveUp(claim: Claim, walk: Walk, error: unknown): Promise<void> {
    const left = await walk.backward().catch((cause: unknown) => [errorMessage(cause)]);
    const record = errorRecord(error);
    if (left.length > 0) record.message += ` (not taken back: ${left.join(", ")})`;
    await this.#options.journal.finish(claim, record.code === "cancelled" ? "cancelled" : "failed", { error: record });
  }

  #outcome(run: Run): Finished {
    if (run.state === "completed") return { run, result: run.result };
    const error = run.error ?? { code: "failed" as const, message: `${run.operation} ended as ${run.state}` };
    throw new HomelabError(error.code, error.message, { hint: error.hint });
  }

  #busy(lock: string, run: Run): HomelabError {
    return new HomelabError("busy", `${run.operation} (${run.id}) is at ${lock.split("/").at(-1)}`, {
      hint: `homelab op watch ${run.id} follows it.`,
      retryAfterSeconds: 1,
    });
  }

  async #get(id: RunId): Promise<Run | undefined> {
    return this.#options.journal.get(id);
  }
}

const isStepsUnknown = (error: unknown): boolean => error instanceof HomelabError && error.code === "steps_unknown";

/** The refusal is in the journal; nothing was changed. */
class Refused extends Error {}
