import type { Guard, Step, StepContext } from "../operation.ts";
import type { ProvisionInput } from "./provision-input.ts";

const seenAs = <In>(
  context: StepContext<In>,
  provision: (input: In) => ProvisionInput,
): StepContext<ProvisionInput> => ({
  ...context,
  input: provision(context.input),
});

/** A step of provisioning, for an operation that makes a database on its way. */
export function forNew<In>(step: Step<ProvisionInput>, provision: (input: In) => ProvisionInput): Step<In> {
  const { check, undo } = step;
  return {
    ...step,
    plan: (context) => step.plan(seenAs(context, provision)),
    check: check && ((context) => check(seenAs(context, provision))),
    run: (context) => step.run(seenAs(context, provision)),
    undo: undo && ((context) => undo(seenAs(context, provision))),
  };
}

/** A guard of provisioning, for the same. */
export const guardNew =
  <In>(guard: Guard<ProvisionInput>, provision: (input: In) => ProvisionInput): Guard<In> =>
  (context) =>
    guard(seenAs(context, provision));
