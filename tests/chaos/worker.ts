import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { homePaths } from "../../src/cluster/home.ts";
import { errorRecord } from "../../src/core/errors.ts";
import { becomeOwnerOf } from "../../src/host/account.ts";
import { programIn } from "../../src/host/program.ts";
import { readAgent } from "../../src/host/agent-process.ts";
import { openJournal } from "../../src/journal/open.ts";
import { registry } from "../../src/operations/registry.ts";
import { Runner } from "../../src/operations/runner.ts";
import type { CrashPoint } from "../../src/operations/walk.ts";
import { openInstalledSite } from "../../src/site/installation.ts";
import { noteReplaced, replacedPath } from "../../src/site/replaced-data.ts";
import type { Site } from "../../src/site/site.ts";
import { snapshot } from "./snapshot.ts";

/** What the test asks of this process, one JSON document a line. */
export type WorkerCommand =
  | { do: "run"; operation: string; input: unknown; now?: number; crash?: Partial<CrashPoint> }
  | { do: "snapshot"; database: string }
  | { do: "sql"; text: string }
  | { do: "replace-data"; name: string };

/**
 * A process of the home's owner that runs operations as the command line does. Told where to crash, it kills itself
 * there: nothing of it is left to tidy up, as in a power cut of one process.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { home: { type: "string" } } });
  const paths = homePaths(values.home!);
  becomeOwnerOf(paths.root);
  const build = (await readAgent(paths))?.state.build ?? "";
  const site = await openInstalledSite(paths.root, await programIn(`${paths.app}/${build}`));
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = await obey(site, JSON.parse(line) as WorkerCommand).catch((error: unknown) => ({
      error: errorRecord(error),
    }));
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await site.close();
}

async function obey(site: Site, command: WorkerCommand): Promise<unknown> {
  if (command.do === "snapshot") return { snapshot: await snapshot(site, command.database) };
  if (command.do === "sql") return { rows: await (await (await site.postgres()).admin()).query(command.text) };
  if (command.do === "replace-data") return { path: await replaceData(site, command.name) };
  const journal = openJournal(site.topology.paths);
  const clock = command.now === undefined ? site.clock : { now: () => command.now! };
  const onCrashPoint = async (point: CrashPoint) => {
    const { step, moment } = command.crash ?? {};
    if (step === point.step && moment === point.moment) process.kill(process.pid, "SIGKILL");
  };
  try {
    const runner = new Runner({ site: { ...site, clock }, journal, registry, onCrashPoint });
    return { result: (await runner.start(command.operation, command.input, { caller: "chaos" })).result };
  } finally {
    await journal.close();
  }
}

/** A data directory such as a restore leaves, which is the only thing that looks like one of it. */
async function replaceData({ topology: { paths } }: Site, run: string): Promise<string> {
  const at = new Date(Date.UTC(2001, 0, 1) + Number(run.replace(/\D/g, "")) * 1000);
  const path = replacedPath(paths, at);
  await mkdir(join(path, "global"), { recursive: true });
  await writeFile(join(path, "PG_VERSION"), "15\n");
  const dates = { at: at.toISOString(), until: at.toISOString() };
  await noteReplaced(paths, { path, ...dates, run, systemIdentifier: "0", by: "a test" });
  return path;
}

await main();
