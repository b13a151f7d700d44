import type { PlannedStep } from "../operations/plan.ts";
import type { Context } from "./context.ts";
import { paint, table } from "./output.ts";

/** What a dry run found out. */
export interface Plan {
  operation: string;
  dry_run: true;
  steps: PlannedStep[];
}

/** What a change asks for: its plan alone, with --dry-run. */
export const dryRun = ({ flags }: Pick<Context, "flags">): { dry_run: "true" | "false" } => ({
  dry_run: flags.dryRun ? "true" : "false",
});

/** Whether an answer is the plan of a change that was not made. */
export const isPlan = (answer: unknown): answer is Plan =>
  typeof answer === "object" && answer !== null && "dry_run" in answer;

const WORDS = { run: "would", skip: "already so:", unknown: "would" } as const;

/** What would be done, and nothing is. */
export function showPlan({ flags, out }: Context, plan: Plan): void {
  if (flags.json) return out.json(plan);
  table(
    out,
    ["STEP", "EFFECT"],
    plan.steps.map(({ step, effect, says }) => [step, `${WORDS[effect]} ${says}`]),
  );
  out.note(paint("dim", "dry run: nothing was changed", process.stderr));
}
