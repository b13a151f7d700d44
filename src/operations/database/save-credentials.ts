import { generatePassword } from "../../core/password.ts";
import { findAnchor, findDatabase } from "../../engines/postgres/databases.ts";
import { rolesOf } from "../../engines/postgres/names.ts";
import { findRoles } from "../../engines/postgres/roles.ts";
import type { Session } from "../../engines/postgres/sessions.ts";
import type { Step } from "../operation.ts";
import { readCredentials, removeCredentials, writeCredentials } from "../../site/credentials.ts";
import type { ProvisionInput } from "./provision-input.ts";

/** First of all: should we die later, the passwords that the roles got are not lost. */
export const saveCredentials: Step<ProvisionInput> = {
  name: "save-credentials",
  plan: ({ input }) => `generate passwords for ${input.name} into a file that only the platform reads`,
  check: async ({ input, site }) => (await readCredentials(site.topology.paths, input.name)) !== undefined,
  async run({ input, site }) {
    const roles = rolesOf(input.name);
    const user = await currentLogin(await (await site.postgres()).admin(), input.name);
    await writeCredentials(site.topology.paths, {
      database: input.name,
      app: { user, password: generatePassword() },
      read_only: { user: roles.readOnly, password: generatePassword() },
    });
    return { says: "passwords of 32 characters" };
  },
  async undo({ input, site }) {
    if (await findDatabase(await (await site.postgres()).admin(), input.name)) return;
    await removeCredentials(site.topology.paths, input.name);
  },
  deadline: 10,
};

/** Where a credentials file was lost, the login in use gets the new password, so that the old one ends. */
async function currentLogin(session: Session, database: string): Promise<string> {
  const { app, appAlternate } = rolesOf(database);
  const [known, anchor] = await Promise.all([findRoles(session, [app, appAlternate]), findAnchor(session, database)]);
  if (anchor?.rotation) return anchor.rotation.old === app ? appAlternate : app;
  return known.get(appAlternate)?.canLogin && !known.get(app)?.canLogin ? appAlternate : app;
}
