import { PLATFORM_DATABASE, PLATFORM_ROLE } from "../../cluster/platform-roles.ts";
import {
  isPlatformDatabaseMade,
  makePlatformDatabase,
  type PlatformDatabaseWish,
} from "../../engines/postgres/platform-database.ts";
import type { Step, StepContext } from "../operation.ts";

/** Undefined when the platform keeps its records in a database elsewhere. */
async function wishOf({ site }: StepContext<unknown>): Promise<PlatformDatabaseWish | undefined> {
  const { jarvis_db, jarvis_database_url } = await site.secrets();
  if (jarvis_database_url) return undefined;
  return { password: jarvis_db, lookupInside: !site.topology.pooler.authDbname };
}

/** The database of the platform's own records, on the very cluster that it manages. */
export const makePlatformDatabaseStep: Step<unknown> = {
  name: "make-platform-database",
  plan: () => `make the database ${PLATFORM_DATABASE} for the platform's own records, owned by ${PLATFORM_ROLE}`,
  async check(context) {
    const wish = await wishOf(context);
    return !wish || isPlatformDatabaseMade(await context.site.postgres(), wish);
  },
  async run(context) {
    const wish = await wishOf(context);
    if (wish) await makePlatformDatabase(await context.site.postgres(), wish);
    return { says: wish ? `database ${PLATFORM_DATABASE}` : "the platform's records are kept elsewhere" };
  },
  deadline: 60,
};
