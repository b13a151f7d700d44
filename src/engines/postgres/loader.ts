import { join } from "node:path";
import { MONITOR_ROLE } from "../../cluster/platform-roles.ts";
import { Client } from "pg";
import { postgresSocket, type Topology } from "../../cluster/topology.ts";
import { generatePassword } from "../../core/password.ts";
import { scramVerifier } from "../../core/scram.ts";
import { readText, remove, writeAtomic } from "../../host/files.ts";
import { cleanEnvironment } from "../../host/run.ts";
import { pgpassLine } from "../pgpass.ts";
import * as ddl from "./ddl.ts";
import { endSessions } from "./databases.ts";
import { loaderOf, rolesOf } from "./names.ts";
import { endRoleSessions, findRoles } from "./roles.ts";
import type { PostgresSessions, Session } from "./sessions.ts";

/** Sessions that the loader may hold: the program's, and ours beside it. */
const LOADER_SESSIONS = 4;

/** The file with the loader's password: it outlives us, so that a run that is taken over goes on. */
const loaderPasswordFile = (topology: Topology, database: string): string =>
  join(topology.paths.run, `load-${encodeURIComponent(database)}.pgpass`);

/**
 * Closes a database to everybody but one login, which fills it as the owner: no superuser reads what others wrote, and
 * no app sees what is half done. Safe to repeat.
 */
export async function closeForLoading(
  sessions: PostgresSessions,
  topology: Topology,
  { database, owner }: { database: string; owner: string },
): Promise<void> {
  const admin = await sessions.admin();
  const loader = loaderOf(database);
  const password = generatePassword();
  await writeAtomic(loaderPasswordFile(topology, database), pgpassLine(password));
  const verifier = await scramVerifier(password);
  const known = await findRoles(admin, [loader, rolesOf(database).readOnly]);
  const [row] = await admin.query<{ limit: number }>(
    'SELECT datconnlimit AS "limit" FROM pg_catalog.pg_database WHERE datname = $1',
    [database],
  );
  await admin.transaction([
    known.has(loader) ? ddl.setPassword(loader, verifier) : ddl.createLogin(loader, verifier, LOADER_SESSIONS, owner),
    // As with the app's login: whatever it makes belongs to the owner.
    ddl.setForRole(loader, "role", owner),
    ddl.revokeAllFromPublic(database),
    ddl.revokeConnect(database, [
      owner,
      ...(known.has(rolesOf(database).readOnly) ? [rolesOf(database).readOnly] : []),
    ]),
    ddl.grantConnect(database, [loader, MONITOR_ROLE]),
    // A new database lets none but superusers in; from here on it is the right to connect that keeps them out.
    ...(row?.limit === 0 ? [ddl.limitConnections(database, -1)] : []),
  ]);
  await sessions.leave();
  await endSessions(admin, database);
}

/** Lets the owner's roles in again, and takes the loader away. Safe to repeat. */
export async function endLoading(
  sessions: PostgresSessions,
  topology: Topology,
  { database, owner }: { database: string; owner: string },
): Promise<void> {
  const admin = await sessions.admin();
  const loader = loaderOf(database);
  const known = await findRoles(admin, [loader, rolesOf(database).readOnly]);
  const own = [owner, rolesOf(database).readOnly].filter((role) => role === owner || known.has(role));
  if (known.has(loader)) {
    await endRoleSessions(admin, loader);
    await sessions.within(database, (inside) =>
      inside.transaction([ddl.reassignOwned(loader, owner), ddl.dropOwned(loader)]),
    );
  }
  await admin.transaction([ddl.grantConnect(database, own), ddl.dropRole(loader)]);
  await remove(loaderPasswordFile(topology, database));
}

/** Whether nobody loads, and the owner's roles may enter. */
export async function isLoadingEnded(admin: Session, { database, owner }: { database: string; owner: string }) {
  const [row] = await admin.query<{ open: boolean }>(
    `SELECT pg_catalog.has_database_privilege($2, oid, 'CONNECT')
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $3) AS open
     FROM pg_catalog.pg_database WHERE datname = $1`,
    [database, owner, loaderOf(database)],
  );
  return row?.open === true;
}

/** A session of the loader. The caller ends it. */
export async function connectAsLoader(topology: Topology, database: string): Promise<Client> {
  const line = (await readText(loaderPasswordFile(topology, database))) ?? "";
  const socket = postgresSocket(topology);
  const client = new Client({
    host: socket.directory,
    port: socket.port,
    user: loaderOf(database),
    database,
    // Made of letters and digits alone.
    password: line.trim().split(":").at(-1),
    application_name: "homelab",
    connectionTimeoutMillis: 5000,
    options: LOADER_SETTINGS,
  });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** The environment of a program that fills the database: it may take its time, and what it writes is safe at the end. */
export const loaderEnvironment = (topology: Topology, database: string): Record<string, string> =>
  cleanEnvironment({
    PGPASSFILE: loaderPasswordFile(topology, database),
    PGOPTIONS: LOADER_SETTINGS,
  });

/** It may take its time, and says no more than what is wrong. */
const LOADER_SETTINGS = [
  "statement_timeout=0",
  "lock_timeout=0",
  "idle_in_transaction_session_timeout=0",
  "client_connection_check_interval=2s",
  "synchronous_commit=off",
  "client_min_messages=warning",
]
  .map((setting) => `-c ${setting}`)
  .join(" ");
