import { createDatabase, dropDatabase } from "../../engines/postgres/ddl.ts";
import { databaseExists } from "../../engines/postgres/databases.ts";
import type { Step } from "../operation.ts";
import { ownerOf, type ProvisionInput } from "./provision-input.ts";

/** CREATE DATABASE with the WAL strategy: the other one forces checkpoints, and stalls of seconds (measured). */
export const createDatabaseStep: Step<ProvisionInput> = {
  name: "create-database",
  plan: ({ input }) => `create the database ${input.name} from ${input.template}`,
  check: async ({ input, site }) => databaseExists(await (await site.postgres()).admin(), input.name),
  async run(context) {
    const { input, site } = context;
    const admin = await (await site.postgres()).admin();
    await admin.query(createDatabase(input.name, await ownerOf(context), input.template));
    return { says: `database ${input.name}` };
  },
  async undo({ input, site }) {
    const sessions = await site.postgres();
    await sessions.leave();
    await (await sessions.admin()).query(dropDatabase(input.name));
  },
  deadline: 120,
};
