import { LOOKUP_ROLE, MONITOR_ROLE } from "../../cluster/platform-roles.ts";
import { LOOKUP_IS_THERE } from "../../engines/postgres/bootstrap.ts";
import * as ddl from "../../engines/postgres/ddl.ts";
import { rolesOf } from "../../engines/postgres/names.ts";
import type { Session } from "../../engines/postgres/sessions.ts";
import type { Step, StepContext } from "../operation.ts";
import { ownerOf, type ProvisionInput } from "./provision-input.ts";

type Context = StepContext<ProvisionInput>;

/** Who may enter the database, and what each may do in it. */
export const openDatabase: Step<ProvisionInput> = {
  name: "open-database",
  plan: ({ input }) => {
    const extensions = input.extensions.length > 0 ? `, with ${input.extensions.join(", ")}` : "";
    return `close ${input.name} to everybody but its own roles${extensions}`;
  },
  async check(context) {
    const sessions = await context.site.postgres();
    if (!(await isClosedToOthers(await sessions.admin(), context.input.name))) return false;
    return sessions.within(context.input.name, (session) => isOpened(context, session));
  },
  async run(context) {
    const { input, site } = context;
    const sessions = await site.postgres();
    const roles = rolesOf(input.name);
    const owner = await ownerOf(context);
    const enter = [roles.readOnly, MONITOR_ROLE, ...(site.topology.pooler.authDbname ? [] : [LOOKUP_ROLE])];
    const madeClosed = isMadeClosed(await sessions.admin(), input.name);
    const opened = sessions.within(input.name, async (session) =>
      session.transaction([
        ddl.revokeAllFromPublic(input.name),
        ddl.grantConnect(input.name, enter),
        ...ddl.schemaPrivileges(owner, roles.readOnly),
        ...(site.topology.pooler.authDbname ? [] : ddl.lookupFunction(LOOKUP_ROLE)),
        ...input.extensions.map(ddl.createExtension),
        ...((await madeClosed) ? [ddl.limitConnections(input.name, -1)] : []),
      ]),
    );
    await Promise.all([madeClosed, opened]);
    return { says: ["privileges", ...input.extensions].join(", ") };
  },
  deadline: 120,
};

/** Whether nobody was let in since CREATE DATABASE; another limit than its 0 is somebody's wish. */
async function isMadeClosed(session: Session, name: string): Promise<boolean> {
  const rows = await session.query<{ limit: number }>(
    'SELECT datconnlimit AS "limit" FROM pg_catalog.pg_database WHERE datname = $1',
    [name],
  );
  return rows[0]?.limit === 0;
}

async function isClosedToOthers(session: Session, name: string): Promise<boolean> {
  const rows = await session.query<{ closed: boolean }>(
    `SELECT NOT pg_catalog.has_database_privilege('public', oid, 'CONNECT') AND pg_catalog.has_database_privilege($2, oid, 'CONNECT') AS closed
     FROM pg_catalog.pg_database WHERE datname = $1`,
    [name, rolesOf(name).readOnly],
  );
  return rows[0]?.closed === true;
}

async function isOpened(context: Context, session: Session): Promise<boolean> {
  const { input, site } = context;
  const [row] = await session.query<{ schema: boolean; defaults: boolean; extensions: number; lookup: boolean }>(
    `SELECT coalesce((SELECT NOT pg_catalog.has_schema_privilege('public', oid, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = 'public'), true) AS schema,
            EXISTS (SELECT FROM pg_catalog.pg_default_acl a JOIN pg_catalog.pg_authid r ON r.oid = a.defaclrole WHERE r.rolname = $1) AS defaults,
            (SELECT count(*)::int FROM pg_catalog.pg_extension WHERE extname = ANY($2)) AS extensions,
            ${site.topology.pooler.authDbname ? "true" : LOOKUP_IS_THERE} AS lookup`,
    [await ownerOf(context), input.extensions],
  );
  return row!.schema && row!.defaults && row!.lookup && row!.extensions === new Set(input.extensions).size;
}
