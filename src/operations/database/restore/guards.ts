import { HomelabError } from "../../../core/errors.ts";
import { databaseExists } from "../../../engines/postgres/databases.ts";
import { checkCreatedName, isSystemDatabase, rolesOf } from "../../../engines/postgres/names.ts";
import { findRoles } from "../../../engines/postgres/roles.ts";
import type { Guard } from "../../operation.ts";
import { forecastOf, requireRestoreSpace } from "./forecast.ts";
import { newName, type RestoreInput } from "./input.ts";

const isNoSystemDatabase: Guard<RestoreInput> = async ({ input: { database } }) => {
  if (!isSystemDatabase(database)) return;
  throw new HomelabError("restore_refused", `${database} is not restored by itself`, {
    hint: "It goes back with the whole cluster.",
  });
};

/** Nothing is ever restored over what is there (faults F73). */
const nameIsFree: Guard<RestoreInput> = async ({ input, site }) => {
  const name = newName(input);
  checkCreatedName(name);
  const admin = await (await site.postgres()).admin();
  if (await databaseExists(admin, name))
    throw new HomelabError("database_exists", `there is a database ${name} already`, {
      hint: "Nothing is restored over another database: choose another name with --as.",
    });
  const taken = [...(await findRoles(admin, Object.values(rolesOf(name)))).keys()];
  if (taken.length === 0) return;
  throw new HomelabError("not_allowed", `the role ${taken.join(", ")} exists`, {
    hint: "Choose another name with --as; homelab db switch-to gives it its own one back.",
  });
};

/** Asked before anything is stopped or written (faults F65, F61, F67). */
const canBeHadBack: Guard<RestoreInput> = async (context) => {
  requireRestoreSpace(context.site, await forecastOf(context));
};

export const restoreGuards: Guard<RestoreInput>[] = [isNoSystemDatabase, nameIsFree, canBeHadBack];
