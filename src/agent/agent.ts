import { join } from "node:path";
import { homePaths, type HomePaths } from "../cluster/home.ts";
import { errorMessage } from "../core/errors.ts";
import { sleep } from "../core/clock.ts";
import { exists } from "../host/files.ts";
import { takeLock } from "../host/lock.ts";
import { identify } from "../host/processes.ts";
import { programIn, type Program } from "../host/program.ts";
import { installationStamp, openInstalledSite } from "../site/installation.ts";
import { openJournal } from "../journal/open.ts";
import { registry } from "../operations/registry.ts";
import { Runner } from "../operations/runner.ts";
import type { Site } from "../site/site.ts";
import { Account } from "./account.ts";
import { renewCertificate, resumeInterrupted, startDue } from "./housekeeping.ts";
import { OomWatch } from "./oom-watch.ts";
import { rotateLogs } from "./rotate-logs.ts";
import { sample } from "./sampler.ts";
import { Supervisor } from "./supervisor.ts";

/** Milliseconds between two looks at the services: what a dead one costs at most before it is noticed. */
const LOOK_EVERY = 100;

/** Runs the agent of one home until it is told to end. Answers the exit code. */
export async function runAgent(root: string, folder: string): Promise<number> {
  const paths = homePaths(root);
  const lock = takeLock(join(paths.state, "agent.lock"));
  if (!lock) return 0;
  const program = await programIn(folder);
  const account = new Account(paths, identify(process.pid)!, program.build);
  const end = endOnSignal();
  const ending = end.signal;
  account.event("agent", `begins (pid ${process.pid}, build ${program.build})`);
  const chores = startChores(paths, program, account, ending);
  const supervisor = new Supervisor(paths, account);
  while (!ending.aborted && (await supervisor.look())) {
    await account.save();
    await sleep(LOOK_EVERY, ending).catch(() => {});
  }
  account.event("agent", "ends");
  await account.save();
  // After `down` no signal has come, and the chores would go on.
  end.abort();
  await chores.stop();
  lock.release();
  return 0;
}

/** SIGTERM ends the agent and nothing else: the engines go on. */
function endOnSignal(): AbortController {
  const controller = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => controller.abort());
  return controller;
}

/** Repeats a chore; what it throws is said once, until it is another thing. */
function repeat(
  name: string,
  account: Account,
  every: number,
  ending: AbortSignal,
  chore: () => Promise<string[]>,
): Promise<void> {
  let said = "";
  const once = async () => {
    try {
      for (const says of await chore()) account.event(name, says);
      said = "";
    } catch (error) {
      if (errorMessage(error) !== said) account.event(name, errorMessage(error), "warn");
      said = errorMessage(error);
    }
  };
  const loop = async () => {
    while (!ending.aborted) {
      await once();
      await sleep(every, ending).catch(() => {});
    }
  };
  return loop();
}

function startChores(
  paths: HomePaths,
  program: Program,
  account: Account,
  ending: AbortSignal,
): { stop(): Promise<void> } {
  const journal = openJournal(paths);
  const oom = new OomWatch();
  let site: Promise<Site> | undefined;
  let stamp = 0;
  const bootstrapped = () => exists(paths.bootstrapped);
  // Opened again whenever `up` has written other settings.
  const withSite = async (work: (site: Site) => Promise<string[]>): Promise<string[]> => {
    const now = await installationStamp(paths);
    // Started before its home was set up: there is nothing to do yet.
    if (now === 0) return [];
    if (!site || now !== stamp) {
      await (await site?.catch(() => undefined))?.close();
      site = openInstalledSite(paths.root, program);
      stamp = now;
    }
    return work(await site);
  };
  const runner = (opened: Site) => new Runner({ site: opened, journal, registry, signal: ending });
  const loops = [
    repeat("resume", account, 1000, ending, () => withSite((opened) => resumeInterrupted(runner(opened), journal))),
    repeat("due", account, 60_000, ending, async () =>
      (await bootstrapped()) ? withSite((opened) => startDue(opened, runner(opened))) : [],
    ),
    repeat("certificates", account, 3_600_000, ending, async () =>
      (await bootstrapped()) ? withSite((opened) => renewCertificate(opened, runner(opened))) : [],
    ),
    repeat("sampler", account, 30_000, ending, async () =>
      (await bootstrapped()) ? withSite(async (opened) => (await sample(opened), [])) : [],
    ),
    repeat("postgres", account, 1000, ending, async () => ((await bootstrapped()) ? oom.look(paths) : [])),
    repeat("logs", account, 30_000, ending, () =>
      withSite(async ({ topology }) => {
        const { max_size_mb, keep } = topology.settings.logs;
        return (await rotateLogs(paths.logs, max_size_mb * 1_000_000, keep)).map((name) => `${name} rotated`);
      }),
    ),
  ];
  return {
    async stop() {
      await Promise.race([Promise.allSettled(loops), sleep(5000)]);
      await (await site?.catch(() => undefined))?.close();
      await journal.close();
    },
  };
}
