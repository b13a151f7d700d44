import type { Client } from "pg";
import { HomelabError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import { formatBytes } from "../../core/units.ts";
import { databaseExists } from "../../engines/postgres/databases.ts";
import * as ddl from "../../engines/postgres/ddl.ts";
import { countContents, emptyAgain, firstObject } from "../../engines/postgres/emptiness.ts";
import { closeForLoading, connectAsLoader, endLoading, isLoadingEnded } from "../../engines/postgres/loader.ts";
import { rolesOf } from "../../engines/postgres/names.ts";
import type { Step, StepContext } from "../operation.ts";
import { createDatabaseStep } from "./create-database.ts";
import { forNew } from "./for-new.ts";
import { endLoader, load, makeReady } from "./load.ts";
import type { LoadSource } from "./load-source.ts";
import { makeRoles } from "./make-roles.ts";
import { openDatabase } from "./open-database.ts";
import { ownerOf, type ProvisionInput } from "./provision-input.ts";
import { proveAppLogin } from "./prove-app-login.ts";
import { saveCredentials } from "./save-credentials.ts";

/** How an operation fills a database that is new, or was empty. */
export interface Filling<In> {
  provision(input: In): ProvisionInput;
  source(context: StepContext<In>): Promise<LoadSource>;
  /** What the step says it would do. */
  says(context: StepContext<In>): string | Promise<string>;
  /** Done with what was loaded before anybody may see it, as the owner. */
  afterwards?(context: StepContext<In>, client: Client): Promise<{ says: string; output: Json }>;
}

/**
 * Makes a database and fills it, closed to everybody meanwhile. A dump can hold any statement: whoever runs it is a
 * login that may do what the new database's owner may, and nothing else.
 */
export function fillingSteps<In>(filling: Filling<In>): Step<In>[] {
  const provisioning = (step: Step<ProvisionInput>) => forNew(step, filling.provision);
  return [
    provisioning(saveCredentials),
    provisioning(makeRoles),
    provisioning(createDatabaseStep),
    closeDatabase(filling),
    fill(filling),
    settle(filling),
    provisioning(openDatabase),
    letIn(filling),
    provisioning(proveAppLogin),
  ];
}

/** The database with its owner, as the loader needs them. */
async function targetOf<In>(context: StepContext<In>, { provision }: Filling<In>) {
  const input = provision(context.input);
  return { database: input.name, owner: await ownerOf({ ...context, input }) };
}

const closeDatabase = <In>(filling: Filling<In>): Step<In> => ({
  name: "close-database",
  plan: ({ input }) => `let nobody into ${filling.provision(input).name} until it is filled`,
  async run(context) {
    const { site } = context;
    await closeForLoading(await site.postgres(), site.topology, await targetOf(context, filling));
    return { says: "only what fills it may enter" };
  },
  async undo(context) {
    const sessions = await context.site.postgres();
    const target = await targetOf(context, filling);
    if (!(await databaseExists(await sessions.admin(), target.database))) return;
    await endLoading(sessions, context.site.topology, target);
  },
  deadline: 30,
});

/** From the beginning, should it have been begun before: what came of that is taken out first. */
const fill = <In>(filling: Filling<In>): Step<In> => ({
  name: "fill-database",
  plan: (context) => filling.says(context),
  async run(context) {
    const { site } = context;
    const target = await targetOf(context, filling);
    const source = await filling.source(context);
    await makeReady(context, target, source);
    await load(context, target, source);
    const loaded = `${formatBytes(source.bytes)} read`;
    if (!filling.afterwards) return { says: loaded };
    const client = await connectAsLoader(site.topology, target.database);
    try {
      const { says, output } = await filling.afterwards(context, client);
      return { says: `${loaded}, ${says}`, output };
    } finally {
      await client.end().catch(() => {});
    }
  },
  async undo(context) {
    const sessions = await context.site.postgres();
    const target = await targetOf(context, filling);
    if (!(await databaseExists(await sessions.admin(), target.database))) return;
    await endLoader(context, target.database);
    await sessions.within(target.database, (inside) => emptyAgain(inside, target.owner));
    await sessions.within(target.database, (inside) =>
      inside.transaction(ddl.schemaPrivileges(target.owner, rolesOf(target.database).readOnly)),
    );
  },
  deadline: 600,
});

/** Statistics, which a dump does not bring: without them the first queries are slow. */
const settle = <In>(filling: Filling<In>): Step<In> => ({
  name: "count-contents",
  plan: ({ input }) => `gather statistics in ${filling.provision(input).name}`,
  async run(context) {
    const { site, signal, progress } = context;
    const { database } = await targetOf(context, filling);
    const client = await connectAsLoader(site.topology, database);
    let seconds = 0;
    const alive = setInterval(() => progress({ done: ++seconds, total: null, unit: "seconds" }), 1000);
    const give = () => void client.end().catch(() => {});
    signal.addEventListener("abort", give, { once: true });
    try {
      await client.query("ANALYZE");
    } finally {
      clearInterval(alive);
      signal.removeEventListener("abort", give);
      await client.end().catch(() => {});
    }
    const counts = await (await site.postgres()).within(database, countContents);
    return { says: `${counts.tables} tables, ${counts.rows} rows`, output: { ...counts } };
  },
  deadline: 60,
});

const letIn = <In>(filling: Filling<In>): Step<In> => ({
  name: "let-in",
  plan: ({ input }) => `let the roles of ${filling.provision(input).name} in`,
  async check(context) {
    const admin = await (await context.site.postgres()).admin();
    return isLoadingEnded(admin, await targetOf(context, filling));
  },
  async run(context) {
    await endLoading(await context.site.postgres(), context.site.topology, await targetOf(context, filling));
    return { says: "it is open" };
  },
  deadline: 30,
});

/** Refuses a database that holds something: nothing is ever put over what is there. */
export async function requireEmpty({ site }: Pick<StepContext<unknown>, "site">, name: string): Promise<void> {
  const sessions = await site.postgres();
  if (!(await databaseExists(await sessions.admin(), name))) return;
  const found = await sessions.within(name, firstObject);
  if (found === undefined) return;
  throw new HomelabError("database_exists", `${name} is not empty: it has the ${found}`, {
    hint: "Take a new name; a database is made for it.",
  });
}
