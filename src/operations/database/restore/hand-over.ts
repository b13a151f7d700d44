import { anchorComment, type Anchor } from "../../../engines/postgres/anchor.ts";
import * as ddl from "../../../engines/postgres/ddl.ts";
import { databaseExists, findAnchor } from "../../../engines/postgres/databases.ts";
import { rolesOf } from "../../../engines/postgres/names.ts";
import { findRoles } from "../../../engines/postgres/roles.ts";
import type { Session } from "../../../engines/postgres/sessions.ts";
import type { Step } from "../../operation.ts";
import { renameWhenQuiet } from "../rename-away.ts";
import { restoredOf } from "./check-restored.ts";
import { rolesFor } from "./copy-database.ts";
import { newName, temporaryName, type RestoreContext, type RestoreInput } from "./input.ts";
import { choiceOf } from "./open-scratch.ts";

/** What pg_dump leaves to whoever creates a database, as far as the roles that it names are here. */
async function propertiesOf(context: RestoreContext, session: Session, name: string): Promise<string[]> {
  const { settings, roleSettings, grants } = restoredOf(context).described;
  const known = await findRoles(
    session,
    [...roleSettings, ...grants].map(({ role }) => role),
  );
  const isHere = ({ role }: { role: string }) => known.has(role);
  return [
    ...settings.map((setting) => ddl.copyDatabaseSetting(name, setting)),
    ...roleSettings
      .filter(isHere)
      .flatMap(({ role, settings: own }) => own.map((setting) => ddl.copySetting(role, setting, name))),
    ...grants.filter(isHere).map(({ right, role, withOption }) => ddl.grantOnDatabase(name, right, role, withOption)),
  ];
}

/**
 * A role that nobody logs in as carries what we know of it. Until it takes the other's place, no app gets in, whose roles
 * could.
 */
function waitBeside(context: RestoreContext, name: string): string[] {
  const { input, site } = context;
  const { restore } = choiceOf(context);
  const at = new Date(site.clock.now()).toISOString();
  const anchor: Anchor = {
    database: name,
    owner: rolesFor(context).owner,
    protected: false,
    createdAt: at,
    restored: {
      of: input.database,
      name,
      at,
      asOf: restore.as_of,
      backup: `${restore.label}@${restore.repository}`,
    },
  };
  const marker = rolesOf(name).app;
  return [ddl.limitConnections(name, 0), ddl.createOwner(marker), ddl.commentOnRole(marker, anchorComment(anchor))];
}

/** The new name appears with all that belongs to it, or not at all; and never in the place of another database. */
export const handOver: Step<RestoreInput> = {
  name: "hand-over",
  plan: ({ input }) => `give it the name ${newName(input)}`,
  async check(context) {
    if (choiceOf(context) === undefined) return false;
    const admin = await (await context.site.postgres()).admin();
    if (await databaseExists(admin, temporaryName(context))) return false;
    return (await findAnchor(admin, newName(context.input))) !== undefined;
  },
  async run(context) {
    const { site, signal, input } = context;
    const [from, name] = [temporaryName(context), newName(input)];
    const sessions = await site.postgres();
    await sessions.leave();
    const admin = await sessions.admin();
    const isKept = choiceOf(context).owner !== null;
    const statements = [
      ddl.renameDatabase(from, name),
      ...(await propertiesOf(context, admin, name)),
      ...(isKept ? waitBeside(context, name) : [ddl.limitConnections(name, -1)]),
    ];
    await renameWhenQuiet(admin, from, statements, signal);
    const next = isKept ? `homelab db switch-to ${name} puts it to use` : `homelab db url ${name} leads to it`;
    return { says: `${name} is there; ${next}` };
  },
  barrier: true,
  deadline: 60,
};
