import { z } from "zod";
import { parseDuration } from "../../core/units.ts";
import { anchorComment, type Anchor, type Restored } from "../../engines/postgres/anchor.ts";
import * as ddl from "../../engines/postgres/ddl.ts";
import { databaseExists, findAnchor, findDatabase } from "../../engines/postgres/databases.ts";
import { rolesOf } from "../../engines/postgres/names.ts";
import { requireRestored } from "../../site/find-database.ts";
import type { Guard, Operation, Step, StepContext } from "../operation.ts";
import { poolsPaused } from "../steps/pools-paused.ts";
import { databaseName } from "./database-name.ts";
import { proveLoginTo, renameTogether } from "./swap.ts";

interface SwitchInput {
  /** The restored database. */
  name: string;
}

type Context = StepContext<SwitchInput>;

/** What is settled for the whole run. */
type Names = {
  of: string;
  owner: string;
  restored: Restored;
  /** The name under which the present one is kept; null where there is none. */
  old: string | null;
  at: string;
  until: string;
};

const isRestored: Guard<SwitchInput> = async ({ input, site }) => {
  await requireRestored(await (await site.postgres()).admin(), input.name);
};

const PLACE_FOR_STAMP = 63 - "_old_20261120140500".length;

/** The name under which a replaced database is kept. */
const oldName = (name: string, at: number): string =>
  `${name.slice(0, PLACE_FOR_STAMP)}_old_${new Date(at).toISOString().replace(/[-:T]/g, "").slice(0, 14)}`;

const noteNames: Step<SwitchInput> = {
  name: "note-names",
  plan: ({ input }) => `look up what ${input.name} was restored from`,
  async run({ input, site }) {
    const { anchor } = await requireRestored(await (await site.postgres()).admin(), input.name);
    const { restored, owner } = anchor;
    const now = site.clock.now();
    const keep = parseDuration(site.topology.settings.backup.keep_replaced)! * 1000;
    const isThere = await databaseExists(await (await site.postgres()).admin(), restored.of);
    const output: Names = {
      of: restored.of,
      owner,
      restored,
      old: isThere ? oldName(restored.of, now) : null,
      at: new Date(now).toISOString(),
      until: new Date(now + keep).toISOString(),
    };
    return { says: isThere ? `${restored.of} will be ${output.old}` : `${restored.of} is gone`, output };
  },
  deadline: 20,
};

const namesOf = ({ output }: Pick<Context, "output">): Names => output<Names>("note-names")!;

/** What we know of the one that is kept, on the role that carried what we know of the restored one. */
function keptAnchor({ of, owner, restored, old, at, until }: Names): Anchor {
  return { database: old!, owner, protected: false, createdAt: at, replaced: { of, at, until, by: restored } };
}

const swap: Step<SwitchInput> = {
  name: "swap",
  plan: ({ input, site }) =>
    `give ${input.name} the name it was restored from, and keep the present one for ${site.topology.settings.backup.keep_replaced}`,
  async check(context) {
    const names = namesOf(context);
    if (!names) return false;
    const admin = await (await context.site.postgres()).admin();
    const kept = names.old === null || (await findAnchor(admin, names.old))?.replaced !== undefined;
    return kept && !(await databaseExists(admin, context.input.name)) && (await databaseExists(admin, names.of));
  },
  async run(context) {
    const { input, site } = context;
    const names = namesOf(context);
    const { of, old } = names;
    const admin = await (await site.postgres()).admin();
    const marker = rolesOf(input.name).app;
    if (old === null) {
      const take = [ddl.renameDatabase(input.name, of), ddl.limitConnections(of, -1), ddl.dropRole(marker)];
      await renameTogether(context, [input.name], take);
      return { says: `${of} is there again` };
    }
    const { connectionLimit } = (await findDatabase(admin, of))!;
    await renameTogether(
      context,
      [of, input.name],
      [
        ddl.renameDatabase(of, old),
        ddl.allowConnections(old, false),
        ddl.renameDatabase(input.name, of),
        ddl.limitConnections(of, connectionLimit),
        ddl.renameRole(marker, rolesOf(old).app),
        ddl.commentOnRole(rolesOf(old).app, anchorComment(keptAnchor(names))),
      ],
    );
    return { says: `${of} is what was restored; the one before is ${old}` };
  },
  async undo(context) {
    const names = namesOf(context);
    const admin = await (await context.site.postgres()).admin();
    if (!names || names.old === null || !(await databaseExists(admin, names.old))) return;
    await renameTogether(
      context,
      [names.of, names.old],
      switchBackStatements(names.of, names.old, names.owner, names.restored),
    );
  },
  deadline: 60,
};

/** The same the other way round: what was kept has its name again, and the restored one waits beside it. */
export function switchBackStatements(of: string, old: string, owner: string, restored: Restored): string[] {
  const marker = rolesOf(restored.name).app;
  const anchor: Anchor = { database: restored.name, owner, protected: false, createdAt: restored.at, restored };
  return [
    ddl.renameDatabase(of, restored.name),
    ddl.limitConnections(restored.name, 0),
    ddl.renameDatabase(old, of),
    ddl.allowConnections(of, true),
    ddl.renameRole(rolesOf(old).app, marker),
    ddl.commentOnRole(marker, anchorComment(anchor)),
  ];
}

/** Apps go on with the URLs that they have: for the moment of it, the pools hold them back. */
export const databaseSwitchTo: Operation<SwitchInput> = {
  name: "database.switch-to",
  summary: "Put a restored database in the place of the present one, which is kept for a while",
  title: ({ name }) => `Switch to database ${name}`,
  scope: "operate",
  route: { method: "POST", path: "/api/restores/{name}/switch-to" },
  command: "db switch-to",
  input: z.strictObject({ name: databaseName }),
  confirm: ({ name }) => name,
  // Whose place it takes is known only from the database itself.
  locks: ({ name }) => ["cluster/database", `restore/${name}`],
  guards: [isRestored],
  steps: [noteNames, poolsPaused([swap]), proveLoginTo((context) => namesOf(context).of)],
  result: async (context) => {
    const { of, old, until } = namesOf(context);
    return { database: of, replaced: old, kept_until: old === null ? null : until };
  },
};
