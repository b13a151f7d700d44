import { daysLeft, RENEW_DAYS } from "../engines/certificate-dates.ts";
import { listDatabases } from "../engines/postgres/databases.ts";
import { certificateFiles } from "../engines/tls.ts";
import { readText } from "../host/files.ts";
import type { Journal } from "../journal/journal.ts";
import type { Runner } from "../operations/runner.ts";
import type { Site } from "../site/site.ts";

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

/** Starts what is due: ends old passwords, and drops deleted databases whose time is up. */
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
  }
  return started;
}
