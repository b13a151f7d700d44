import { scramVerifier, verifies } from "../../core/scram.ts";
import { anchorComment, type Anchor } from "../../engines/postgres/anchor.ts";
import * as ddl from "../../engines/postgres/ddl.ts";
import { findAnchor, findDatabase } from "../../engines/postgres/databases.ts";
import { rolesOf } from "../../engines/postgres/names.ts";
import { findRoles, type RoleRow } from "../../engines/postgres/roles.ts";
import type { Step, StepContext } from "../operation.ts";
import { readCredentials, type Credentials } from "../../site/credentials.ts";
import { chooseOwner, type ProvisionInput } from "./provision-input.ts";

type Context = StepContext<ProvisionInput>;

/** Roles are made before their database: the roles of an app, what each may hold open, and the anchor that marks them as ours. */
export const makeRoles: Step<ProvisionInput> = {
  name: "make-roles",
  plan: ({ input }) => {
    const roles = rolesOf(input.name);
    return `make the roles ${chooseOwner(input, undefined)} (owner, no login), ${roles.app} (the app) and ${roles.readOnly} (read-only)`;
  },
  async check(context) {
    const { input, site } = context;
    const credentials = await readCredentials(site.topology.paths, input.name);
    if (!credentials) return false;
    const admin = await (await site.postgres()).admin();
    const anchor = await findAnchor(admin, input.name);
    const owner = chooseOwner(input, anchor);
    const known = await findRoles(admin, [owner, credentials.app.user, credentials.read_only.user]);
    if (known.size < 3 || !fits(context, known, credentials, owner)) return false;
    if (anchor?.owner !== owner || (input.protect ?? anchor.protected) !== anchor.protected) return false;
    const pairs = [credentials.app, credentials.read_only].map(({ user, password }) =>
      verifies(password, known.get(user)!.verifier),
    );
    return (await Promise.all(pairs)).every(Boolean);
  },
  async run(context) {
    const { input, site } = context;
    const credentials = (await readCredentials(site.topology.paths, input.name))!;
    const admin = await (await site.postgres()).admin();
    const before = await findAnchor(admin, input.name);
    const owner = chooseOwner(input, before);
    await admin.transaction(await statements(context, credentials, owner, before));
    return { says: `${owner}, ${credentials.app.user}, ${credentials.read_only.user}`, output: { owner } };
  },
  async undo({ input, site }) {
    const roles = rolesOf(input.name);
    const admin = await (await site.postgres()).admin();
    if (await findDatabase(admin, input.name)) return;
    // An owner that was named may belong to other databases too, and stays.
    await admin.transaction([roles.app, roles.appAlternate, roles.readOnly, roles.owner].map(ddl.dropRole));
  },
  deadline: 30,
};

/** What an app's roles are given; an option that is left out changes nothing for a database that exists. */
function limits({ input, site }: Context, known?: RoleRow) {
  const { database } = site.topology.settings;
  const current = known?.settings
    .find((setting) => setting.startsWith("statement_timeout="))
    ?.slice("statement_timeout=".length);
  return {
    connectionLimit: input.connection_limit ?? known?.connectionLimit ?? database.connection_limit,
    statementTimeout: input.statement_timeout ?? current ?? database.statement_timeout,
    idleTimeout: database.idle_in_transaction_session_timeout,
  };
}

function fits(context: Context, known: Map<string, RoleRow>, credentials: Credentials, owner: string): boolean {
  if (!known.get(credentials.app.user)!.settings.includes(`role=${owner}`)) return false;
  return [credentials.app, credentials.read_only].every(({ user }) => {
    const role = known.get(user)!;
    const wanted = limits(context, role);
    return (
      role.canLogin &&
      role.connectionLimit === wanted.connectionLimit &&
      role.settings.includes(`statement_timeout=${wanted.statementTimeout}`)
    );
  });
}

async function statements(
  context: Context,
  credentials: Credentials,
  owner: string,
  before: Anchor | undefined,
): Promise<string[]> {
  const { input, site } = context;
  const admin = await (await site.postgres()).admin();
  const [known, appVerifier, readOnlyVerifier] = await Promise.all([
    findRoles(admin, [owner, credentials.app.user, credentials.read_only.user]),
    scramVerifier(credentials.app.password),
    scramVerifier(credentials.read_only.password),
  ]);
  const login = (user: string, verifier: string, member?: string) => {
    const role = known.get(user);
    const wanted = limits(context, role);
    return [
      ...(role
        ? [ddl.setPassword(user, verifier), ddl.setConnectionLimit(user, wanted.connectionLimit)]
        : [ddl.createLogin(user, verifier, wanted.connectionLimit, member)]),
      ddl.setForRole(user, "statement_timeout", wanted.statementTimeout),
      ddl.setForRole(user, "idle_in_transaction_session_timeout", wanted.idleTimeout),
    ];
  };
  const anchor: Anchor = {
    database: input.name,
    owner,
    protected: input.protect ?? before?.protected ?? false,
    createdAt: before?.createdAt ?? new Date(site.clock.now()).toISOString(),
    rotation: before?.rotation,
  };
  return [
    ...(known.has(owner) ? [] : [ddl.createOwner(owner)]),
    ...login(credentials.app.user, appVerifier, owner),
    // What the app creates belongs to the owner, whichever of its two logins it uses.
    ddl.setForRole(credentials.app.user, "role", owner),
    ...login(credentials.read_only.user, readOnlyVerifier),
    ddl.setForRole(credentials.read_only.user, "default_transaction_read_only", "on"),
    ddl.commentOnRole(rolesOf(input.name).app, anchorComment(anchor)),
  ];
}
