import { z } from "zod";
import { HomelabError } from "../../core/errors.ts";
import * as ddl from "../../engines/postgres/ddl.ts";
import { findDatabase } from "../../engines/postgres/databases.ts";
import { rolesOf } from "../../engines/postgres/names.ts";
import { findRoles } from "../../engines/postgres/roles.ts";
import { remove } from "../../host/files.ts";
import type { Guard, Operation, Step } from "../operation.ts";
import { removeCredentials } from "../../site/credentials.ts";

interface PurgeInput {
  /** The name under which the deleted database waits. */
  deleted_name: string;
}

/** Nothing goes for good before its time, and nothing that is not marked as deleted. */
const timeIsUp: Guard<PurgeInput> = async ({ input, site }) => {
  const row = await findDatabase(await (await site.postgres()).admin(), input.deleted_name);
  if (!row?.anchor?.deleted) throw new HomelabError("not_found", `${input.deleted_name} is no deleted database`);
  if (Date.parse(row.anchor.deleted.until) <= site.clock.now()) return;
  throw new HomelabError(
    "not_allowed",
    `${row.anchor.database} can be brought back until ${row.anchor.deleted.until}`,
    {
      hint: `homelab db undelete ${row.anchor.database}`,
    },
  );
};

const noteDump: Step<PurgeInput> = {
  name: "note-dump",
  plan: ({ input }) => `look ${input.deleted_name} up`,
  async run({ input, site }) {
    const row = await findDatabase(await (await site.postgres()).admin(), input.deleted_name);
    return { says: "its dump goes with it", output: { dump: row?.anchor?.deleted?.dump ?? null } };
  },
  deadline: 20,
};

const dropForGood: Step<PurgeInput> = {
  name: "drop-for-good",
  plan: ({ input }) => `drop ${input.deleted_name} for good`,
  check: async ({ input, site }) =>
    (await findDatabase(await (await site.postgres()).admin(), input.deleted_name)) === undefined,
  async run({ input, site }) {
    await (await (await site.postgres()).admin()).query(ddl.dropDatabase(input.deleted_name));
    return { says: "dropped" };
  },
  barrier: true,
  deadline: 120,
};

const dropRoles: Step<PurgeInput> = {
  name: "drop-roles",
  plan: () => "drop its roles",
  async check({ input, site }) {
    return (
      (await findRoles(await (await site.postgres()).admin(), Object.values(rolesOf(input.deleted_name)))).size === 0
    );
  },
  async run({ input, site }) {
    const { owner, app, appAlternate, readOnly } = rolesOf(input.deleted_name);
    await (await (await site.postgres()).admin()).transaction([appAlternate, readOnly, owner, app].map(ddl.dropRole));
    return { says: "roles dropped" };
  },
  deadline: 30,
};

const removeFiles: Step<PurgeInput> = {
  name: "remove-files",
  plan: () => "remove its dump and its credentials",
  async run({ input, site, output }) {
    const dump = output<{ dump: string | null }>("note-dump")?.dump;
    if (dump) await remove(dump);
    await removeCredentials(site.topology.paths, input.deleted_name);
    return { says: "dump and credentials removed" };
  },
  deadline: 20,
};

/** The end of a deleted database, once nobody can want it back any more. */
export const databasePurge: Operation<PurgeInput> = {
  name: "database.purge",
  summary: "Drop a deleted database for good, once its time is up",
  title: ({ deleted_name: name }) => `Drop ${name} for good`,
  scope: "admin",
  route: { method: "DELETE", path: "/api/deleted-databases/{deleted_name}" },
  command: "db purge",
  input: z.strictObject({ deleted_name: z.string().regex(/^deleted-[0-9]{14}-[0-9a-f]{8}$/) }),
  confirm: ({ deleted_name: name }) => name,
  locks: (input) => [`cluster/database/${input.deleted_name}`, "cluster/deleted-databases"],
  guards: [timeIsUp],
  steps: [noteDump, dropForGood, dropRoles, removeFiles],
  result: async ({ input }) => ({ deleted_name: input.deleted_name }),
};
