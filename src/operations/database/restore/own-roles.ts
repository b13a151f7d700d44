import type { Step } from "../../operation.ts";
import { makeRoles } from "../make-roles.ts";
import type { ProvisionInput } from "../provision-input.ts";
import { saveCredentials } from "../save-credentials.ts";
import { forecastOf } from "./forecast.ts";
import { newName, type RestoreContext, type RestoreInput } from "./input.ts";
import { choiceOf } from "./open-scratch.ts";

/** Whether the roles that it had are there: then it keeps them. */
async function keepsRoles(context: RestoreContext): Promise<boolean> {
  const choice = choiceOf(context) ?? (await forecastOf(context));
  return choice.owner !== null;
}

/** A step of a new database, for one whose own roles are gone. */
function whereRolesAreGone(step: Step<ProvisionInput>): Step<RestoreInput> {
  const inner = (context: RestoreContext) => ({
    ...context,
    input: { name: newName(context.input), extensions: [], template: "template0" },
  });
  return {
    name: step.name,
    plan: async (context) =>
      (await keepsRoles(context)) ? "keep the roles and passwords that it has" : step.plan(inner(context)),
    check: async (context) => (await keepsRoles(context)) || (await step.check!(inner(context))),
    run: (context) => step.run(inner(context)),
    undo: (context) => step.undo!(inner(context)),
    deadline: step.deadline,
  };
}

/** A database that was deleted for good has no roles any more: it comes back as a new one, with its own. */
export const ownRoles: Step<RestoreInput>[] = [saveCredentials, makeRoles].map(whereRolesAreGone);
