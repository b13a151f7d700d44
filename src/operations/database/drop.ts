import { z } from "zod";
import { HomelabError } from "../../core/errors.ts";
import { listDatabases } from "../../engines/postgres/databases.ts";
import { requireOurs } from "../../site/find-database.ts";
import type { Guard, Operation } from "../operation.ts";
import { databaseName } from "./database-name.ts";
import { keepDump } from "./keep-dump.ts";
import { refuseConnections } from "./refuse-connections.ts";
import { keepCredentials, renameAway, type DropInput, type Refused } from "./rename-away.ts";

const isNotProtected: Guard<DropInput> = async ({ input, site }) => {
  const row = await requireOurs(await (await site.postgres()).admin(), input.name);
  if (!row.anchor.protected) return;
  throw new HomelabError("database_protected", `${input.name} is protected`, {
    hint: `homelab db create ${input.name} --no-protect takes the protection away.`,
  });
};

/** What was restored from it, or kept for it, belongs to its roles. */
const nothingIsBeside: Guard<DropInput> = async ({ input, site }) => {
  const rows = await listDatabases(await (await site.postgres()).admin());
  const beside = rows.filter(({ anchor }) => (anchor?.restored ?? anchor?.replaced)?.of === input.name);
  if (beside.length === 0) return;
  const names = beside.map(({ name }) => name);
  throw new HomelabError("not_allowed", `${names.join(", ")} stands beside ${input.name} and belongs to its roles`, {
    hint: `homelab db discard ${names[0]}`,
  });
};

/** Deletes a database softly: out of the way at once, and there to be had back for a week. */
export const databaseDrop: Operation<DropInput> = {
  name: "database.drop",
  summary: "Take a database out of use, with a dump, so that it can be brought back for a while",
  title: ({ name }) => `Delete database ${name}`,
  scope: "provision",
  route: { method: "DELETE", path: "/api/databases/{name}" },
  command: "db delete",
  input: z.strictObject({ name: databaseName }),
  confirm: ({ name }) => name,
  locks: (input) => [`cluster/database/${input.name}`],
  guards: [isNotProtected, nothingIsBeside],
  steps: [refuseConnections, keepDump, renameAway, keepCredentials],
  result: async ({ input, site, output }) => {
    const { deletedName, dump } = output<Refused>("refuse-connections")!;
    const { undelete_within: within } = site.topology.settings.database;
    return { database: input.name, deleted_name: deletedName, dump, undelete_within: within };
  },
};
