import type { z } from "zod";
import type { Run, StepEntry } from "../journal/journal.ts";
import type { operation, stepEntry } from "./contract/operations.ts";

/** An operation as the API and its events show it. */
export function operationBody(run: Run): z.input<typeof operation> {
  return {
    id: run.id,
    operation: run.operation,
    title: run.title ?? run.operation,
    state: run.state,
    input: run.input,
    caller: run.caller,
    steps: run.steps,
    current_step: run.currentStep,
    progress: run.progress,
    created_at: run.createdAt,
    finished_at: run.finishedAt,
    result: run.result,
    error: run.error,
    cancel_requested: run.cancelRequested,
  };
}

/** A line of its history; what a step hands to later steps is nobody else's business. */
export const entryBody = ({ seq, at, step, event, barrier, says }: StepEntry): z.input<typeof stepEntry> => ({
  seq,
  at,
  step,
  event,
  barrier,
  says,
});
