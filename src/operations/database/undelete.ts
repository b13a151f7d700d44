import { z } from "zod";
import { HomelabError } from "../../core/errors.ts";
import type { Anchor } from "../../engines/postgres/anchor.ts";
import * as ddl from "../../engines/postgres/ddl.ts";
import { findDatabase } from "../../engines/postgres/databases.ts";
import { rolesOf } from "../../engines/postgres/names.ts";
import { findRoles } from "../../engines/postgres/roles.ts";
import { remove } from "../../host/files.ts";
import type { Guard, Operation, Step, StepContext } from "../operation.ts";
import { moveCredentials, readCredentials } from "../../site/credentials.ts";
import { requireDeleted } from "../../site/find-database.ts";
import { databaseName } from "./database-name.ts";
import { provePooledLogin } from "./prove-app-login.ts";
import { renameWhenQuiet, renameWithRoles } from "./rename-away.ts";

interface UndeleteInput {
  name: string;
}

type Context = StepContext<UndeleteInput>;
/** The deleted database's name, settled by the first step. */
type Found = { database: string; deletedName: string; dump: string; connectionLimit: number };

const nameIsFree: Guard<UndeleteInput> = async ({ input, site }) => {
  const admin = await (await site.postgres()).admin();
  const row = await requireDeleted(admin, input.name);
  if (!(await findDatabase(admin, row.anchor.database))) return;
  throw new HomelabError("database_exists", `there is a new database ${row.anchor.database}`, {
    hint: `Delete that one first; the old one waits until ${row.anchor.deleted!.until}.`,
  });
};

/** What took one of their names meanwhile is nobody's to be renamed. */
const rolesAreFree: Guard<UndeleteInput> = async ({ input, site }) => {
  const admin = await (await site.postgres()).admin();
  const { anchor } = await requireDeleted(admin, input.name);
  if (await findDatabase(admin, anchor.database)) return;
  const taken = [...(await findRoles(admin, Object.values(rolesOf(anchor.database)))).keys()];
  if (taken.length === 0) return;
  throw new HomelabError("not_allowed", `the role ${taken.join(", ")} exists, which was not made by homelab`, {
    hint: `Rename that role; then ${anchor.database} can have its own back.`,
  });
};

const findDeleted: Step<UndeleteInput> = {
  name: "find-deleted",
  plan: ({ input }) => `find the newest deleted ${input.name}`,
  async run({ input, site }) {
    const row = await requireDeleted(await (await site.postgres()).admin(), input.name);
    const { name: deletedName, dump, connectionLimit } = row.anchor.deleted!;
    return {
      says: `deleted ${row.anchor.deleted!.at}`,
      output: { database: row.anchor.database, deletedName, dump, connectionLimit } satisfies Found,
    };
  },
  deadline: 20,
};

const found = (context: Context): Found => context.output<Found>("find-deleted")!;

const renameBack: Step<UndeleteInput> = {
  name: "rename-back",
  plan: ({ input }) => `rename it back to ${input.name} and let connections in`,
  async run(context) {
    const { site, signal } = context;
    const { deletedName, connectionLimit } = found(context);
    const admin = await (await site.postgres()).admin();
    const row = await findDatabase(admin, deletedName);
    if (!row?.anchor) return { says: "it was renamed back" };
    const { deleted: _gone, ...kept } = row.anchor;
    const ours = kept.owner === rolesOf(deletedName).owner;
    const anchor: Anchor = { ...kept, owner: ours ? rolesOf(kept.database).owner : kept.owner };
    const rename = await renameWithRoles(admin, deletedName, kept.database, anchor);
    const open = [ddl.allowConnections(kept.database, true), ddl.limitConnections(kept.database, connectionLimit)];
    await renameWhenQuiet(admin, deletedName, [...rename, ...open], signal);
    return { says: `${kept.database} is back` };
  },
  deadline: 30,
};

const returnCredentials: Step<UndeleteInput> = {
  name: "return-credentials",
  plan: () => "give the credentials back their place",
  async run(context) {
    const { paths } = context.site.topology;
    await moveCredentials(paths, found(context).deletedName, found(context).database);
    return { says: "the same passwords as before" };
  },
  deadline: 10,
};

const proveLoginAgain: Step<UndeleteInput> = {
  name: "prove-login-again",
  plan: ({ input }) => `log in to ${input.name} through the pooler`,
  async run(context) {
    const { database } = found(context);
    const credentials = await readCredentials(context.site.topology.paths, database);
    if (!credentials)
      throw new HomelabError("step_failed", "the credentials were lost", {
        hint: `homelab db rotate ${database} makes new ones.`,
      });
    await provePooledLogin(context.site, { database, ...credentials.app }, context.signal);
    return { says: `${credentials.app.user} logged in through the pooler` };
  },
  deadline: 30,
};

/** The dump is older than the database from its first new row on. */
const removeDump: Step<UndeleteInput> = {
  name: "remove-dump",
  plan: () => "remove the dump of the deletion",
  async run(context) {
    await remove(found(context).dump);
    return { says: "the dump is no longer needed" };
  },
  deadline: 20,
};

/** Brings a deleted database back under its name, with its roles and passwords. */
export const databaseUndelete: Operation<UndeleteInput> = {
  name: "database.undelete",
  summary: "Bring a deleted database back, with its roles and passwords",
  title: ({ name }) => `Bring database ${name} back`,
  scope: "provision",
  route: { method: "POST", path: "/api/databases/{name}/undelete" },
  command: "db undelete",
  input: z.strictObject({ name: databaseName }),
  // What is brought back must not be dropped for good meanwhile; that goes by its other name.
  locks: (input) => [`cluster/database/${input.name}`, "cluster/deleted-databases"],
  guards: [nameIsFree, rolesAreFree],
  steps: [findDeleted, renameBack, returnCredentials, proveLoginAgain, removeDump],
  result: async (context) => ({ database: found(context).database }),
};
