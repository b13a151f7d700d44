import { sleep } from "../core/clock.ts";
import { errorMessage } from "../core/errors.ts";
import { isRunId } from "../core/ids.ts";
import { daysLeft, RENEW_DAYS } from "../engines/certificate-dates.ts";
import { listDatabases } from "../engines/postgres/databases.ts";
import { dropDatabase, dropRole } from "../engines/postgres/ddl.ts";
import { isPlatformDatabaseGone } from "../engines/postgres/platform-database.ts";
import { certificateFiles } from "../engines/tls.ts";
import { readText } from "../host/files.ts";
import type { Journal } from "../journal/journal.ts";
import { removeAbandonedScratch } from "../site/scratch.ts";
import { readReplaced } from "../site/replaced-data.ts";
import type { Site } from "../site/site.ts";
import type { Runner } from "./runner.ts";

/** Something that is done again and again. It answers what it did, in sentences. */
export interface Chore {
  name: string;
  /** Milliseconds between two times. */
  every: number;
  work(): Promise<string[]>;
}

/** Whom a chore tells what it did, or what went wrong. */
export type Tell = (name: string, says: string, level: "info" | "warn") => void;

/** Repeats a chore until the end; what it throws is said once, until it is another thing. */
export async function repeat({ name, every, work }: Chore, ending: AbortSignal, tell: Tell): Promise<void> {
  let said = "";
  while (!ending.aborted) {
    try {
      for (const says of await work()) tell(name, says, "info");
      said = "";
    } catch (error) {
      if (errorMessage(error) !== said && !ending.aborted) tell(name, errorMessage(error), "warn");
      said = errorMessage(error);
    }
    await sleep(every, ending).catch(() => {});
  }
}

/** Goes on with runs whose process died. Answers what it went on with. */
export async function resumeInterrupted(runner: Runner, journal: Journal): Promise<string[]> {
  const resumed: string[] = [];
  for (const run of await journal.interrupted()) {
    if (await runner.tryResume(run)) resumed.push(`${run.operation} (${run.id})`);
  }
  return resumed;
}

/** Renews the node's certificate before it ends: nobody has to run `up` once a year. */
export async function renewCertificate({ topology, clock }: Site, runner: Runner): Promise<string[]> {
  const text = await readText(certificateFiles(topology.paths).cert);
  if (text && daysLeft(text, new Date(clock.now())) >= RENEW_DAYS) return [];
  await runner.start("cluster.converge", {}, { caller: "schedule" });
  return ["the certificate was renewed"];
}

/** Makes the platform's own database again where somebody dropped it (faults F82); what was in it the hubs bring back. */
export async function remakePlatformDatabase(site: Site, runner: Runner): Promise<string[]> {
  if ((await site.secrets()).jarvis_database_url) return [];
  // Where PostgreSQL does not answer, nothing is known of its databases.
  const isGone = await site
    .postgres()
    .then(isPlatformDatabaseGone)
    .catch(() => false);
  if (!isGone) return [];
  await runner.start("cluster.converge", {}, { caller: "schedule" });
  return ["it was dropped, and made again"];
}

/** Starts what is due: ends old passwords, and drops deleted and replaced databases whose time is up. */
export async function startDue(site: Site, runner: Runner): Promise<string[]> {
  const now = site.clock.now();
  const rows = await listDatabases(await (await site.postgres()).admin());
  const started: string[] = [];
  for (const { anchor } of rows) {
    if (anchor?.rotation && Date.parse(anchor.rotation.until) <= now) {
      await runner.start("database.finish-rotation", { name: anchor.database }, { caller: "schedule" });
      started.push(`ended the old password of ${anchor.database}`);
    }
    if (anchor?.deleted && Date.parse(anchor.deleted.until) <= now) {
      await runner.start("database.purge", { deleted_name: anchor.deleted.name }, { caller: "schedule" });
      started.push(`dropped the deleted database ${anchor.database} for good`);
    }
    if (anchor?.replaced && Date.parse(anchor.replaced.until) <= now) {
      await runner.start("database.discard", { name: anchor.database }, { caller: "schedule" });
      started.push(`dropped ${anchor.database}, which was kept for ${anchor.replaced.of}`);
    }
  }
  const replaced = await readReplaced(site.topology.paths);
  if (replaced.some(({ until }) => Date.parse(until) <= now)) {
    await runner.start("cluster.discard-replaced", { all: false }, { caller: "schedule" });
    started.push("removed what a restore had replaced");
  }
  return started;
}

/** Under such a name a restore fills a database. */
const HALF_RESTORED = "SELECT datname AS name FROM pg_catalog.pg_database WHERE datname LIKE 'restoring-op\\_%'";

/** Removes what restores left behind whose process died, and with which nobody went on. */
export async function removeLeftRestores(site: Site, journal: Pick<Journal, "get">): Promise<string[]> {
  const isUsed = async (id: string) => isRunId(id) && (await journal.get(id))?.state === "running";
  const removed = (await removeAbandonedScratch(site, isUsed)).map((id) => `removed the scratch of ${id}`);
  const admin = await (await site.postgres()).admin();
  for (const { name } of await admin.query<{ name: string }>(HALF_RESTORED)) {
    const id = name.slice("restoring-".length);
    if (!isRunId(id) || (await isUsed(id))) continue;
    await admin.query(dropDatabase(name));
    await admin.query(dropRole(name));
    removed.push(`dropped what ${id} had not restored whole`);
  }
  return removed;
}
