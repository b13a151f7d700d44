import { z } from "zod";
import { HomelabError } from "../../core/errors.ts";
import type { Restored } from "../../engines/postgres/anchor.ts";
import { databaseExists, findAnchor } from "../../engines/postgres/databases.ts";
import { rolesOf } from "../../engines/postgres/names.ts";
import { findRoles } from "../../engines/postgres/roles.ts";
import { requireReplaced } from "../../site/find-database.ts";
import type { Guard, Operation, Step, StepContext } from "../operation.ts";
import { poolsPaused } from "../steps/pools-paused.ts";
import { databaseName } from "./database-name.ts";
import { proveLoginTo, renameTogether } from "./swap.ts";
import { switchBackStatements } from "./switch-to.ts";

interface SwitchBackInput {
  /** The database, by the name that apps know. */
  name: string;
}

/** What is settled for the whole run. */
type Kept = { old: string; owner: string; restored: Restored };

/** The present one goes back beside it, under the name that it had there. */
const nameIsFree: Guard<SwitchBackInput> = async ({ input, site }) => {
  const admin = await (await site.postgres()).admin();
  const { anchor } = await requireReplaced(admin, input.name);
  const { name } = anchor.replaced.by;
  const taken = (await databaseExists(admin, name)) || (await findRoles(admin, [rolesOf(name).app])).size > 0;
  if (!taken) return;
  throw new HomelabError(
    "database_exists",
    `there is another database ${name}, which is what the present one would be called`,
    {
      hint: `homelab db discard ${name} makes room.`,
    },
  );
};

const noteKept: Step<SwitchBackInput> = {
  name: "note-kept",
  plan: ({ input }) => `find the newest ${input.name} that is kept`,
  async run({ input, site }) {
    const row = await requireReplaced(await (await site.postgres()).admin(), input.name);
    const output: Kept = { old: row.name, owner: row.anchor.owner, restored: row.anchor.replaced.by };
    return { says: `${row.name} is kept until ${row.anchor.replaced.until}`, output };
  },
  deadline: 20,
};

const keptOf = ({ output }: Pick<StepContext<unknown>, "output">): Kept => output<Kept>("note-kept")!;

const swapBack: Step<SwitchBackInput> = {
  name: "swap-back",
  plan: ({ input }) => `give it its name ${input.name} back, and keep what was restored beside it`,
  async check(context) {
    const kept = keptOf(context);
    if (!kept) return false;
    const admin = await (await context.site.postgres()).admin();
    return (
      (await findAnchor(admin, kept.restored.name))?.restored !== undefined && !(await databaseExists(admin, kept.old))
    );
  },
  async run(context) {
    const { input } = context;
    const { old, owner, restored } = keptOf(context);
    await renameTogether(context, [input.name, old], switchBackStatements(input.name, old, owner, restored));
    return { says: `${input.name} is what it was; what was restored is ${restored.name}` };
  },
  deadline: 60,
};

/** Undoes a switch: nothing is lost on either side. */
export const databaseSwitchBack: Operation<SwitchBackInput> = {
  name: "database.switch-back",
  summary: "Put the database back that a restored one replaced",
  title: ({ name }) => `Switch database ${name} back`,
  scope: "operate",
  route: { method: "POST", path: "/api/databases/{name}/switch-back" },
  command: "db switch-back",
  input: z.strictObject({ name: databaseName }),
  confirm: ({ name }) => name,
  locks: () => ["cluster/database"],
  guards: [nameIsFree],
  steps: [noteKept, poolsPaused([swapBack]), proveLoginTo(({ input }) => input.name)],
  result: async (context) => ({ database: context.input.name, restored: keptOf(context).restored.name }),
};
