import { completeSecrets, secretsText } from "../../config/secrets.ts";
import { readJson, writeAtomic } from "../../host/files.ts";
import type { Step, StepContext } from "../operation.ts";

const complete = async ({ site }: StepContext<unknown>) =>
  completeSecrets((await readJson<Record<string, string>>(site.topology.paths.secrets)) ?? {}, site.env);

/** The passwords of the platform's own roles, made once and kept in one closed file. */
export const makeSecrets: Step<unknown> = {
  name: "make-secrets",
  plan: ({ site }) => `generate the missing passwords into ${site.topology.paths.secrets}`,
  check: async (context) => !(await complete(context)).added,
  async run(context) {
    const { secrets } = await complete(context);
    await writeAtomic(context.site.topology.paths.secrets, secretsText(secrets));
    return { says: "passwords of the platform's own roles" };
  },
  deadline: 10,
};
