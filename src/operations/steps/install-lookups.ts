import { LOOKUP_ROLE } from "../../cluster/platform-roles.ts";
import { installLookup } from "../../engines/postgres/bootstrap.ts";
import { grantConnect } from "../../engines/postgres/ddl.ts";
import type { Step, StepContext } from "../operation.ts";

/** Databases that the pooler's role may not enter yet: made by hand, or restored from elsewhere. */
async function closedToPooler({ site }: StepContext<unknown>): Promise<string[]> {
  if (site.topology.pooler.authDbname) return [];
  const admin = await (await site.postgres()).admin();
  const rows = await admin.query<{ name: string }>(
    `SELECT datname AS name FROM pg_catalog.pg_database
     WHERE datallowconn AND NOT datistemplate AND NOT pg_catalog.has_database_privilege($1, oid, 'CONNECT')`,
    [LOOKUP_ROLE],
  );
  return rows.map((row) => row.name);
}

/** PgBouncer before 1.19 looks passwords up inside the database that is asked for, so each needs the lookup. */
export const installLookups: Step<unknown> = {
  name: "install-lookups",
  plan: () => "give databases that came from elsewhere the pooler's lookup",
  check: async (context) => (await closedToPooler(context)).length === 0,
  async run(context) {
    const sessions = await context.site.postgres();
    const databases = await closedToPooler(context);
    for (const [done, name] of databases.entries()) {
      await sessions.within(name, installLookup);
      await (await sessions.admin()).query(grantConnect(name, [LOOKUP_ROLE]));
      context.progress({ done: done + 1, total: databases.length, unit: "steps" });
    }
    return { says: `${databases.length} databases` };
  },
  deadline: 60,
};
