import { join } from "node:path";
import { waitUntil } from "../../core/clock.ts";
import { limitConnections } from "../../engines/postgres/ddl.ts";
import { endSessions, findDatabase } from "../../engines/postgres/databases.ts";
import { deletedName } from "../../engines/postgres/names.ts";
import type { Step } from "../operation.ts";
import type { DropInput, Refused } from "./rename-away.ts";

/**
 * From here on no app gets in, and who was in is out. Only the superuser, who will dump it, passes a limit of zero.
 * The name that it will have is chosen here and kept in the journal, so that every later step means the same one.
 */
export const refuseConnections: Step<DropInput> = {
  name: "refuse-connections",
  plan: ({ input }) => `end the sessions of ${input.name} and refuse new ones`,
  async run({ input, site, signal, output }) {
    const sessions = await site.postgres();
    const admin = await sessions.admin();
    const row = await findDatabase(admin, input.name);
    const before = output<Refused>("refuse-connections");
    await admin.query(limitConnections(input.name, 0));
    await sessions.leave();
    let ended = 0;
    const quiet = async () => {
      const now = await endSessions(admin, input.name);
      ended += now;
      return now === 0;
    };
    await waitUntil(quiet, { timeout: 20, every: 100, signal, what: `the sessions of ${input.name} have ended` });
    const name = deletedName(input.name, new Date(site.clock.now()));
    const refused: Refused = before ?? {
      deletedName: name,
      dump: join(site.topology.paths.dumps, `${name}.dump`),
      connectionLimit: row?.connectionLimit || -1,
    };
    return { says: `${ended} sessions ended`, output: { ...refused } };
  },
  async undo({ input, site, output }) {
    const limit = output<Refused>("refuse-connections")?.connectionLimit ?? -1;
    await (await (await site.postgres()).admin()).query(limitConnections(input.name, limit));
  },
  deadline: 30,
};
