import type { Json } from "../core/json.ts";
import { isBracket, type AnyOperation, type Step, type StepContext } from "./operation.ts";
import type { Site } from "../site/site.ts";

/** A step of a dry run. */
export interface PlannedStep {
  step: string;
  /** `skip`: it is already true. `unknown`: what comes before it must be done first to tell. */
  effect: "run" | "skip" | "unknown";
  says: string;
}

/** Asks every check and changes nothing. Guards are asked too: a dry run refuses what the run would refuse. */
export async function planOperation(operation: AnyOperation, input: unknown, site: Site): Promise<PlannedStep[]> {
  const context: StepContext<unknown> = {
    input,
    site,
    runId: "op_dry-run",
    signal: AbortSignal.timeout(60_000),
    output: <T extends Json>() => undefined as T | undefined,
    progress: () => {},
  };
  for (const guard of operation.guards) await guard(context);
  const steps = operation.steps.flatMap((item): Step<unknown>[] => (isBracket(item) ? item.steps : [item]));
  return Promise.all(
    steps.map(async (step) => ({
      step: step.name,
      effect: await effectOf(step, context),
      says: await step.plan(context),
    })),
  );
}

async function effectOf(step: Step<unknown>, context: StepContext<unknown>): Promise<PlannedStep["effect"]> {
  if (!step.check) return "run";
  try {
    return (await step.check(context)) ? "skip" : "run";
  } catch {
    // It asks something that does not exist yet.
    return "unknown";
  }
}
