import { z } from "zod";
import * as ddl from "../../engines/postgres/ddl.ts";
import { databaseExists } from "../../engines/postgres/databases.ts";
import { rolesOf } from "../../engines/postgres/names.ts";
import { findRoles } from "../../engines/postgres/roles.ts";
import { requireBeside } from "../../site/find-database.ts";
import type { Guard, Operation, Step } from "../operation.ts";
import { databaseName } from "./database-name.ts";

interface DiscardInput {
  /** A restored database that no app uses, or one that was kept. */
  name: string;
}

/** Nothing else can be dropped this way. */
const isBeside: Guard<DiscardInput> = async ({ input, site }) => {
  await requireBeside(await (await site.postgres()).admin(), input.name);
};

const dropBeside: Step<DiscardInput> = {
  name: "drop-database",
  plan: ({ input }) => `drop ${input.name}; backups still have what was in it`,
  check: async ({ input, site }) => !(await databaseExists(await (await site.postgres()).admin(), input.name)),
  async run({ input, site }) {
    const sessions = await site.postgres();
    await sessions.leave();
    await (await sessions.admin()).query(ddl.dropDatabase(input.name));
    return { says: `${input.name} is dropped` };
  },
  barrier: true,
  deadline: 120,
};

/** The roles that could enter it are another database's, and stay. */
const dropMarker: Step<DiscardInput> = {
  name: "drop-marker",
  plan: () => "forget what we knew of it",
  check: async ({ input, site }) =>
    (await findRoles(await (await site.postgres()).admin(), [rolesOf(input.name).app])).size === 0,
  async run({ input, site }) {
    await (await (await site.postgres()).admin()).query(ddl.dropRole(rolesOf(input.name).app));
    return { says: "forgotten" };
  },
  deadline: 20,
};

/** Drops what a restore left beside: what was restored and not wanted, or what was replaced and has had its time. */
export const databaseDiscard: Operation<DiscardInput> = {
  name: "database.discard",
  summary: "Drop a restored database that no app uses, or one that was replaced",
  title: ({ name }) => `Discard database ${name}`,
  scope: "operate",
  route: { method: "DELETE", path: "/api/restores/{name}" },
  command: "db discard",
  input: z.strictObject({ name: databaseName }),
  confirm: ({ name }) => name,
  locks: ({ name }) => [`cluster/database/${name}`, `restore/${name}`],
  guards: [isBeside],
  steps: [dropBeside, dropMarker],
  result: async ({ input }) => ({ database: input.name }),
};
