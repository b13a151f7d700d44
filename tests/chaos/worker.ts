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
import type { Site } from "../../src/site/site.ts";
import { snapshot } from "./snapshot.ts";

/** What the test asks of this process, one JSON document a line. */
export type WorkerCommand =
  | { do: "run"; operation: string; input: unknown; now?: number; crash?: Partial<CrashPoint> }
  | { do: "snapshot"; database: string }
  | { do: "sql"; text: string };

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

await main();
