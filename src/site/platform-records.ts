import { rename } from "node:fs/promises";
import { join } from "node:path";
import { PLATFORM_DATABASE, PLATFORM_ROLE } from "../cluster/platform-roles.ts";
import type { Topology } from "../cluster/topology.ts";
import { waitUntil } from "../core/clock.ts";
import { endSessions } from "../engines/postgres/databases.ts";
import { createPlatformDatabase, dropDatabase, limitConnections } from "../engines/postgres/ddl.ts";
import { dumpCommand, restoreDumpCommand } from "../engines/postgres/dump.ts";
import { pinnedOptions } from "../engines/postgres/pinned.ts";
import { makePlatformDatabase, type PlatformDatabaseWish } from "../engines/postgres/platform-database.ts";
import type { PostgresSessions } from "../engines/postgres/sessions.ts";
import { pgpassLine } from "../engines/pgpass.ts";
import { remove, writeAtomic } from "../host/files.ts";
import { cleanEnvironment, run } from "../host/run.ts";
import type { Site } from "./site.ts";

/** How the platform's database is to be; undefined when it is kept elsewhere, and no business of this cluster. */
export async function platformWish({ topology, secrets }: Site): Promise<PlatformDatabaseWish | undefined> {
  const { jarvis_db, jarvis_database_url } = await secrets();
  return jarvis_database_url ? undefined : { password: jarvis_db, lookupInside: !topology.pooler.authDbname };
}

/** Nobody but the superuser gets in any more, and who was in is out: from here on the hubs keep what they write in files. */
export async function closePlatformDatabase(sessions: PostgresSessions, signal: AbortSignal): Promise<void> {
  const admin = await sessions.admin();
  await sessions.leave();
  await admin.query(limitConnections(PLATFORM_DATABASE, 0));
  const isQuiet = async () => (await endSessions(admin, PLATFORM_DATABASE)) === 0;
  await waitUntil(isQuiet, { timeout: 20, signal, what: "the platform's own sessions have ended" });
}

/** Lets the hubs in again. */
export async function openPlatformDatabase(sessions: PostgresSessions): Promise<void> {
  await (await sessions.admin()).query(limitConnections(PLATFORM_DATABASE, -1));
}

/** Writes the platform's records to a file. It holds hashes of passwords and keys: 0600 in a closed folder. */
export async function dumpPlatformRecords(site: Site, path: string, signal: AbortSignal): Promise<void> {
  const partial = `${path}.partial`;
  await withPassword(site, (env) =>
    run({ argv: dumpCommand(site.topology, PLATFORM_DATABASE, partial), env, signal, timeout: 600 }),
  );
  await rename(partial, path);
}

/**
 * Puts the records of a dump in the place of what is there; without a dump, only the way in is mended. Repeatable while
 * nobody else is let in: it begins anew each time. `topology` says where the server is reached.
 */
export async function loadPlatformRecords(
  site: Site,
  sessions: PostgresSessions,
  { topology, dump, wish }: { topology: Topology; dump: string | null; wish: PlatformDatabaseWish },
  signal: AbortSignal,
): Promise<void> {
  await makePlatformDatabase(sessions, wish);
  if (!dump) return;
  const admin = await sessions.admin();
  await sessions.leave();
  await admin.query(dropDatabase(PLATFORM_DATABASE));
  await admin.query(createPlatformDatabase(PLATFORM_DATABASE, PLATFORM_ROLE));
  await withPassword(site, (env) =>
    run({ argv: restoreDumpCommand(topology, PLATFORM_DATABASE, dump), env, signal, timeout: 600 }),
  );
  await makePlatformDatabase(sessions, wish);
}

/** PostgreSQL's programs as the superuser: their password is in a file, for the time of the call. */
async function withPassword<T>(
  { topology, secrets }: Site,
  work: (env: Record<string, string>) => Promise<T>,
): Promise<T> {
  const pgpass = join(topology.paths.run, "platform-records.pgpass");
  const changed = { statement_timeout: "0", lock_timeout: "0", idle_in_transaction_session_timeout: "0" };
  try {
    await writeAtomic(pgpass, pgpassLine((await secrets()).superuser.reveal()));
    const PGOPTIONS = pinnedOptions({ postgresql: topology.versions.postgresql, superuser: true, changed });
    return await work(cleanEnvironment({ PGPASSFILE: pgpass, PGOPTIONS }));
  } finally {
    await remove(pgpass);
  }
}
