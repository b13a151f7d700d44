import { sleep, waitUntil } from "../../../core/clock.ts";
import { lastLogLine } from "../../../engines/logs.ts";
import { isPrimary } from "../../../engines/patroni/client.ts";
import { patroniProcess } from "../../../engines/patroni/process.ts";
import { readControlData } from "../../../engines/postgres/control-data.ts";
import { startAgent, readAgent } from "../../../host/agent-process.ts";
import { remove, writeAtomic } from "../../../host/files.ts";
import { findProcess, stopLeftover, stopProcess } from "../../../host/processes.ts";
import { writeDesired } from "../../../host/services.ts";
import { nodeServices } from "../../../site/node-services.ts";
import type { Site } from "../../../site/site.ts";
import type { Step } from "../../operation.ts";
import { noted } from "./note-cluster.ts";

/** Milliseconds in which an agent that had just decided to start Patroni has done so. */
const IN_FLIGHT = 400;

/** From here on the agent starts no Patroni: the file is looked for right before each start. */
async function holdBack(site: Site, run: string): Promise<void> {
  const { paths } = site.topology;
  await writeAtomic(paths.replacing, `${JSON.stringify({ run })}\n`);
  await writeDesired(paths, { services: nodeServices(site), up: true });
}

/** Everything but what is held back runs, also after a `down` in between. */
export async function wakeServices(site: Site): Promise<void> {
  const { topology, program } = site;
  await writeDesired(topology.paths, { services: nodeServices(site), up: true });
  if (!(await readAgent(topology.paths))?.alive) await startAgent(topology.paths, program);
}

/** Patroni may start PostgreSQL again. */
async function letGo(site: Site): Promise<void> {
  await remove(site.topology.paths.replacing);
  await wakeServices(site);
}

/** The same, and waits until PostgreSQL is primary. */
export async function startPostgres(site: Site, signal: AbortSignal): Promise<void> {
  const { topology } = site;
  await letGo(site);
  await waitUntil(() => isPrimary(topology), {
    timeout: 590,
    every: 30,
    signal,
    what: "PostgreSQL is primary",
    why: () => lastLogLine(topology.paths, "patroni"),
  });
}

async function stop(site: Site): Promise<void> {
  const spec = patroniProcess(site.topology);
  const { run } = site.topology.paths;
  do {
    await stopProcess(run, spec.name, spec.stop);
    await stopLeftover(spec.leaves!);
    await sleep(IN_FLIGHT);
  } while (await findProcess(run, spec.name));
}

/** Patroni and PostgreSQL are down, and stay down until this is taken back or the new data is whole. */
export const stopPostgres: Step<unknown> = {
  name: "stop-postgres",
  plan: () => "stop PostgreSQL, and keep it from being started until the data is whole",
  async run(context) {
    const { site, runId } = context;
    await holdBack(site, runId);
    await (await site.postgres()).end();
    await stop(site);
    const { paths } = site.topology;
    const control = await readControlData(site.topology, paths.postgresData);
    const wasClean = control?.state.startsWith("shut down") === true;
    return { says: wasClean || !noted(context).answers ? "PostgreSQL is down" : "PostgreSQL did not end in order" };
  },
  // One that did not answer before need not do so now.
  undo: (context) => {
    const { site, signal } = context;
    return noted(context).answers ? startPostgres(site, signal) : letGo(site);
  },
  deadline: 600,
};
