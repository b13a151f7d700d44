import { join } from "node:path";
import { LOOKUP_ROLE, MONITOR_ROLE } from "../../../cluster/platform-roles.ts";
import { errorMessage, HomelabError } from "../../../core/errors.ts";
import { generatePassword } from "../../../core/password.ts";
import { scramVerifier } from "../../../core/scram.ts";
import { formatBytes, formatSeconds } from "../../../core/units.ts";
import { pgpassLine } from "../../../engines/pgpass.ts";
import { copyInCommand, copyOutCommand, leftOutOf, type LeftOut } from "../../../engines/postgres/copy.ts";
import * as ddl from "../../../engines/postgres/ddl.ts";
import { databaseExists } from "../../../engines/postgres/databases.ts";
import type { InstalledExtension } from "../../../engines/postgres/described.ts";
import { rolesOf } from "../../../engines/postgres/names.ts";
import { findRoles } from "../../../engines/postgres/roles.ts";
import { SCRATCH_PORT, scratchOptions, type ScratchServer } from "../../../engines/postgres/scratch.ts";
import type { Session } from "../../../engines/postgres/sessions.ts";
import { remove, writeAtomic } from "../../../host/files.ts";
import { cleanEnvironment, failureOf, runPiped, type Command } from "../../../host/run.ts";
import { expectedTime, noteSpeed } from "../../../site/restore-speed.ts";
import type { Step } from "../../operation.ts";
import { restoredOf } from "./check-restored.ts";
import { databaseBytes, forecastOf } from "./forecast.ts";
import { newName, temporaryName, type RestoreContext, type RestoreInput } from "./input.ts";
import { choiceOf, openScratch } from "./open-scratch.ts";

/** Who owns the restored database, and reads in it. */
export function rolesFor(context: RestoreContext): { owner: string; readOnly: string } {
  const { owner } = choiceOf(context);
  const roles = rolesOf(owner === null ? newName(context.input) : context.input.database);
  return { owner: owner ?? roles.owner, readOnly: roles.readOnly };
}

/** An empty database under a name that nobody else uses; one that was begun before goes. Answers the extensions that it lacks. */
async function makeEmpty(context: RestoreContext): Promise<LeftOut[]> {
  const sessions = await context.site.postgres();
  await sessions.leave();
  const admin = await sessions.admin();
  const [name, { owner, readOnly }] = [temporaryName(context), rolesFor(context)];
  await admin.query(ddl.dropDatabase(name));
  await admin.query(ddl.createDatabaseLike(name, owner, restoredOf(context).described.locale));
  const { authDbname } = context.site.topology.pooler;
  const known = await findRoles(admin, [readOnly]);
  const enter = [...known.keys(), MONITOR_ROLE, ...(authDbname ? [] : [LOOKUP_ROLE])];
  const lacking = await sessions.within(name, async (session) => {
    await session.transaction([
      ddl.revokeAllFromPublic(name),
      ddl.grantConnect(name, enter),
      ...ddl.ownSchema(owner),
      ...(authDbname ? [] : ddl.lookupFunction(LOOKUP_ROLE)),
    ]);
    return makeExtensions(session, restoredOf(context).extensions, owner);
  });
  await sessions.leave();
  return lacking;
}

/** By the superuser, as when they were made first: most may not be made by an owner. */
async function makeExtensions(session: Session, wanted: InstalledExtension[], owner: string): Promise<LeftOut[]> {
  const lacking: LeftOut[] = [];
  for (const { name, schema } of wanted) {
    const isThere = schema === "public" || schema.startsWith("pg_");
    const make = [...(isThere ? [] : [ddl.createSchema(schema, owner)]), ddl.createExtensionIn(name, schema)];
    await session.transaction(make).catch((error: unknown) => {
      lacking.push({ what: `EXTENSION ${name}`, why: errorMessage(error) });
    });
  }
  return lacking;
}

/** A login for this run alone: it may what the owner may, and is no superuser. Answers its password file. */
async function letCopierIn(context: RestoreContext, folder: string): Promise<string> {
  const admin = await (await context.site.postgres()).admin();
  const [login, database, password] = [temporaryName(context), temporaryName(context), generatePassword()];
  const pgpass = join(folder, "copy.pgpass");
  await writeAtomic(pgpass, pgpassLine(password));
  await admin.transaction([
    ddl.dropRole(login),
    ddl.createLogin(login, await scramVerifier(password), 2, rolesFor(context).owner),
    ddl.limitConnections(database, 2),
  ]);
  return pgpass;
}

async function dropCopier(context: RestoreContext): Promise<void> {
  await (await (await context.site.postgres()).admin()).query(ddl.dropRole(temporaryName(context)));
}

const UNLIMITED = "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0";

/** From the scratch into the new database, as one stream. Answers what could not be made, and the bytes that went over. */
async function stream(context: RestoreContext, server: ScratchServer, pgpass: string) {
  const { input, site, signal } = context;
  const { topology } = site;
  const name = temporaryName(context);
  const tables = input.tables.length > 0 ? restoredOf(context).tables.map(({ quoted }) => quoted) : [];
  const socket = { directory: server.socket, port: SCRATCH_PORT };
  const from: Command = {
    argv: copyOutCommand(topology, { socket, database: input.database, tables }),
    env: cleanEnvironment({ PGOPTIONS: scratchOptions(topology) }),
    signal,
  };
  const to: Command = {
    argv: copyInCommand(topology, { database: name, login: name, owner: rolesFor(context).owner }),
    env: cleanEnvironment({ PGPASSFILE: pgpass, PGOPTIONS: UNLIMITED }),
    signal,
  };
  let bytes = 0;
  const begun = performance.now();
  const timer = setInterval(() => context.progress({ done: bytes, total: null, unit: "bytes" }), 500);
  const [out, into] = await runPiped(from, to, (count) => (bytes = count)).finally(() => clearInterval(timer));
  signal.throwIfAborted();
  const leftOut = leftOutOf(into.stderr);
  if (out.exitCode !== 0) throw new HomelabError("step_failed", failureOf(from, out));
  // It ends with 1 when anything could not be made; what that was is told from what it said.
  if (into.exitCode !== 0 && !/errors ignored on restore/.test(into.stderr))
    throw new HomelabError("step_failed", failureOf(to, into));
  return { bytes, seconds: (performance.now() - begun) / 1000, leftOut };
}

/** What went over, for the result. */
export type Copied = { bytes: number; seconds: number; leftOut: LeftOut[] };

/** Fills the new database. Its login goes with its password, whatever comes of it. */
async function fill(context: RestoreContext, server: ScratchServer) {
  const pgpass = await letCopierIn(context, server.folder);
  try {
    return await stream(context, server, pgpass);
  } finally {
    await remove(pgpass);
    await dropCopier(context);
  }
}

/** Into a database that nobody knows of yet: begun again, it begins with an empty one. */
export const copyDatabase: Step<RestoreInput> = {
  name: "copy-database",
  async plan(context) {
    const forecast = await forecastOf(context);
    const bytes = databaseBytes(forecast);
    return `move it into the running cluster: ${formatBytes(bytes)}, ${expectedTime(bytes, forecast.speeds.copy)}`;
  },
  async run(context) {
    const server = await openScratch(context);
    const lacking = await makeEmpty(context);
    const { bytes, seconds, ...filled } = await fill(context, server);
    const leftOut = [...lacking, ...filled.leftOut];
    await noteSpeed(context.site, "copy", databaseBytes(choiceOf(context)), seconds);
    const missing = leftOut.length > 0 ? `; not made: ${leftOut.map(({ what }) => what).join(", ")}` : "";
    const output: Copied = { bytes, seconds, leftOut: leftOut.slice(0, 50) };
    return { says: `${formatBytes(bytes)} in ${formatSeconds(seconds)}${missing}`, output };
  },
  async undo(context) {
    const sessions = await context.site.postgres();
    await sessions.leave();
    const admin = await sessions.admin();
    if (await databaseExists(admin, temporaryName(context)))
      await admin.query(ddl.dropDatabase(temporaryName(context)));
    await dropCopier(context);
  },
  deadline: 300,
};
