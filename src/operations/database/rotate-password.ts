import { z } from "zod";
import { HomelabError } from "../../core/errors.ts";
import { generatePassword } from "../../core/password.ts";
import { scramVerifier, verifies } from "../../core/scram.ts";
import { parseDuration } from "../../core/units.ts";
import { anchorComment } from "../../engines/postgres/anchor.ts";
import * as ddl from "../../engines/postgres/ddl.ts";
import { findAnchor } from "../../engines/postgres/databases.ts";
import { rolesOf } from "../../engines/postgres/names.ts";
import { findRoles, type RoleRow } from "../../engines/postgres/roles.ts";
import type { Guard, Operation, Step, StepContext } from "../operation.ts";
import { readCredentials, writeCredentials, type Credentials } from "../../site/credentials.ts";
import { requireOurs } from "../../site/find-database.ts";
import { databaseName } from "./database-name.ts";
import { provePooledLogin } from "./prove-app-login.ts";

interface RotateInput {
  name: string;
}

type Context = StepContext<RotateInput>;

/** One rotation at a time: there are two logins, and both are in use while one goes on. */
const noRotationOpen: Guard<RotateInput> = async ({ input, site }) => {
  const row = await requireOurs(await (await site.postgres()).admin(), input.name);
  if (!row.anchor.rotation) return;
  throw new HomelabError("busy", `the last rotation of ${input.name} is open until ${row.anchor.rotation.until}`, {
    hint: `homelab db rotate ${input.name} --finish ends the old password now.`,
  });
};

async function credentialsOf({ input, site }: Context): Promise<Credentials> {
  const credentials = await readCredentials(site.topology.paths, input.name);
  if (credentials) return credentials;
  throw new HomelabError("not_found", `the credentials of ${input.name} are not on this machine`, {
    hint: `homelab db create ${input.name} makes new ones.`,
  });
}

/** The login that the app does not use now. */
function otherLogin({ input }: Context, current: string): string {
  const { app, appAlternate } = rolesOf(input.name);
  return current === app ? appAlternate : app;
}

const savePassword: Step<RotateInput> = {
  name: "save-next-password",
  plan: () => "generate the next password into the credentials file",
  check: async (context) => (await credentialsOf(context)).next !== undefined,
  async run(context) {
    const credentials = await credentialsOf(context);
    const next = { user: otherLogin(context, credentials.app.user), password: generatePassword() };
    await writeCredentials(context.site.topology.paths, { ...credentials, next });
    return { says: `for the login ${next.user}` };
  },
  async undo(context) {
    const { next: _dropped, ...kept } = await credentialsOf(context);
    await writeCredentials(context.site.topology.paths, kept);
  },
  deadline: 10,
};

/** The second login may do just what the first may. */
async function nextLoginStatements(context: Context): Promise<string[]> {
  const { app, next } = await credentialsOf(context);
  const admin = await (await context.site.postgres()).admin();
  const anchor = (await findAnchor(admin, context.input.name))!;
  const roles = await findRoles(admin, [app.user, next!.user]);
  const current: RoleRow = roles.get(app.user)!;
  const verifier = await scramVerifier(next!.password);
  const make = roles.has(next!.user)
    ? [
        ddl.setPassword(next!.user, verifier),
        ddl.setConnectionLimit(next!.user, current.connectionLimit),
        ddl.grantRole(anchor.owner, next!.user),
      ]
    : [ddl.createLogin(next!.user, verifier, current.connectionLimit, anchor.owner)];
  const settings = current.settings
    .filter((setting) => !setting.startsWith("role="))
    .map((setting) => ddl.copySetting(next!.user, setting));
  // Whatever the app's owner made of it: what either login creates belongs to the owner of the database.
  return [...make, ...settings, ddl.setForRole(next!.user, "role", anchor.owner)];
}

const makeNextLogin: Step<RotateInput> = {
  name: "make-next-login",
  plan: ({ input }) => `let the second login of ${input.name} in, with the new password`,
  async check(context) {
    const { next } = await credentialsOf(context);
    if (!next) return false;
    const roles = await findRoles(await (await context.site.postgres()).admin(), [next.user]);
    const role = roles.get(next.user);
    return role?.canLogin === true && (await verifies(next.password, role.verifier));
  },
  async run(context) {
    const admin = await (await context.site.postgres()).admin();
    await admin.transaction(await nextLoginStatements(context));
    return { says: "both logins work now" };
  },
  async undo(context) {
    const { next } = await credentialsOf(context);
    if (next) await (await (await context.site.postgres()).admin()).query(ddl.disableLogin(next.user));
  },
  deadline: 30,
};

const proveNextLogin: Step<RotateInput> = {
  name: "prove-next-login",
  plan: () => "log in with the new password through the pooler",
  async run(context) {
    const { next } = await credentialsOf(context);
    await provePooledLogin(context.site, { database: context.input.name, ...next! }, context.signal);
    return { says: `${next!.user} logged in through the pooler` };
  },
  deadline: 30,
};

/** The old login gets its end before the file names the new one: it can never be forgotten. */
const limitOldLogin: Step<RotateInput> = {
  name: "limit-old-login",
  plan: ({ site }) => `let the old password end after ${site.topology.settings.database.rotation_overlap}`,
  async run(context) {
    const { input, site } = context;
    const admin = await (await site.postgres()).admin();
    const { app } = await credentialsOf(context);
    const anchor = (await findAnchor(admin, input.name))!;
    const until = new Date(site.clock.now() + parseDuration(site.topology.settings.database.rotation_overlap)! * 1000);
    const rotation = { old: app.user, until: until.toISOString() };
    await admin.transaction([
      ddl.setValidUntil(app.user, until),
      ddl.commentOnRole(rolesOf(input.name).app, anchorComment({ ...anchor, rotation })),
    ]);
    return { says: `the old password works until ${rotation.until}`, output: rotation };
  },
  barrier: true,
  deadline: 20,
};

const changeOver: Step<RotateInput> = {
  name: "change-over",
  plan: () => "hand out the new password from now on",
  check: async (context) =>
    (await credentialsOf(context)).previous !== undefined && (await credentialsOf(context)).next === undefined,
  async run(context) {
    const { next, ...credentials } = await credentialsOf(context);
    const { until } = context.output<{ until: string }>("limit-old-login")!;
    await writeCredentials(context.site.topology.paths, {
      ...credentials,
      app: next!,
      previous: { ...credentials.app, until },
    });
    return { says: "URLs now hold the new password" };
  },
  deadline: 10,
};

/** A new password without an outage: a second login beside the first, and both work for a while. */
export const databaseRotatePassword: Operation<RotateInput> = {
  name: "database.rotate-password",
  summary: "Give the app of a database a new password; the old one works for a while",
  title: ({ name }) => `New password for database ${name}`,
  scope: "provision",
  route: { method: "POST", path: "/api/databases/{name}/rotate" },
  command: "db rotate",
  input: z.strictObject({ name: databaseName }),
  locks: (input) => [`cluster/database/${input.name}`],
  guards: [noRotationOpen],
  steps: [savePassword, makeNextLogin, proveNextLogin, limitOldLogin, changeOver],
  result: async (context) => ({
    database: context.input.name,
    old_password_until: context.output<{ until: string }>("limit-old-login")!.until,
  }),
};
