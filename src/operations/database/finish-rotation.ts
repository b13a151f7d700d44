import { z } from "zod";
import { anchorComment } from "../../engines/postgres/anchor.ts";
import * as ddl from "../../engines/postgres/ddl.ts";
import { findAnchor } from "../../engines/postgres/databases.ts";
import { rolesOf } from "../../engines/postgres/names.ts";
import { endRoleSessions, findRoles } from "../../engines/postgres/roles.ts";
import type { Guard, Operation, Step } from "../operation.ts";
import { readCredentials, writeCredentials } from "../../site/credentials.ts";
import { requireOurs } from "../../site/find-database.ts";
import { databaseName } from "./database-name.ts";

interface FinishInput {
  name: string;
}

const exists: Guard<FinishInput> = async ({ input, site }) => {
  await requireOurs(await (await site.postgres()).admin(), input.name);
};

/** Which login is the old one is settled here, and kept for the later steps. */
const noteOldLogin: Step<FinishInput> = {
  name: "note-old-login",
  plan: ({ input }) => `look up the old login of ${input.name}`,
  async run({ input, site }) {
    const anchor = await findAnchor(await (await site.postgres()).admin(), input.name);
    const old = anchor?.rotation?.old ?? null;
    return { says: old ? `the old login is ${old}` : "no rotation is open", output: { old } };
  },
  deadline: 20,
};

const endOldLogin: Step<FinishInput> = {
  name: "end-old-login",
  plan: () => "end the old password and the sessions that still use it",
  async check({ input, site, output }) {
    const noted = output<{ old: string | null }>("note-old-login");
    if (!noted?.old) return noted !== undefined;
    const admin = await (await site.postgres()).admin();
    const role = (await findRoles(admin, [noted.old])).get(noted.old);
    return role?.canLogin !== true && (await findAnchor(admin, input.name))?.rotation === undefined;
  },
  async run({ input, site, output }) {
    const { old } = output<{ old: string }>("note-old-login")!;
    const admin = await (await site.postgres()).admin();
    const { rotation: _over, ...anchor } = (await findAnchor(admin, input.name))!;
    await admin.transaction([ddl.disableLogin(old), ddl.commentOnRole(rolesOf(input.name).app, anchorComment(anchor))]);
    const ended = await endRoleSessions(admin, old);
    return { says: `${old} can no longer log in, ${ended} sessions ended` };
  },
  deadline: 30,
};

const forgetOldPassword: Step<FinishInput> = {
  name: "forget-old-password",
  plan: () => "remove the old password from the credentials file",
  check: async ({ input, site }) => (await readCredentials(site.topology.paths, input.name))?.previous === undefined,
  async run({ input, site }) {
    const { previous: _old, ...kept } = (await readCredentials(site.topology.paths, input.name))!;
    await writeCredentials(site.topology.paths, kept);
    return { says: "the old password is forgotten" };
  },
  deadline: 10,
};

/** Ends the time in which two passwords work. */
export const databaseFinishRotation: Operation<FinishInput> = {
  name: "database.finish-rotation",
  summary: "End the old password of a rotated database",
  title: ({ name }) => `End the old password of database ${name}`,
  scope: "provision",
  route: { method: "POST", path: "/api/databases/{name}/finish-rotation" },
  command: "db rotate",
  input: z.strictObject({ name: databaseName }),
  locks: (input) => [`cluster/database/${input.name}`],
  guards: [exists],
  steps: [noteOldLogin, endOldLogin, forgetOldPassword],
  result: async ({ input }) => ({ database: input.name }),
};
