import { join } from "node:path";
import { homePaths, type HomePaths } from "../cluster/home.ts";
import { sleep } from "../core/clock.ts";
import { exists } from "../host/files.ts";
import { takeLock } from "../host/lock.ts";
import { identify } from "../host/processes.ts";
import { programIn, type Program } from "../host/program.ts";
import { installationStamp, openInstalledSite } from "../site/installation.ts";
import type { Journal } from "../journal/journal.ts";
import { openJournal } from "../journal/open.ts";
import { repeat, type Chore } from "../operations/chores.ts";
import { registry } from "../operations/registry.ts";
import type { Site } from "../site/site.ts";
import { Account } from "./account.ts";
import { Deputy } from "./deputy.ts";
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

function startChores(
  paths: HomePaths,
  program: Program,
  account: Account,
  ending: AbortSignal,
): { stop(): Promise<void> } {
  const journal = openJournal(paths);
  const opened = new OpenedSite(paths, program, journal);
  const bootstrapped = async (work: () => Promise<string[]>) => ((await exists(paths.bootstrapped)) ? work() : []);
  const oom = new OomWatch();
  const chores: Chore[] = [
    { name: "deputy", every: 1000, work: () => opened.use(({ deputy }) => deputy.look(ending)) },
    {
      name: "sampler",
      every: 30_000,
      work: () => bootstrapped(() => opened.use(async ({ site }) => (await sample(site), []))),
    },
    { name: "postgres", every: 1000, work: () => bootstrapped(() => oom.look(paths)) },
    {
      name: "logs",
      every: 30_000,
      work: () =>
        opened.use(async ({ site }) => {
          const { max_size_mb, keep } = site.topology.settings.logs;
          return (await rotateLogs(paths.logs, max_size_mb * 1_000_000, keep)).map((name) => `${name} rotated`);
        }),
    },
  ];
  const loops = chores.map((chore) => repeat(chore, ending, (name, says, level) => account.event(name, says, level)));
  return {
    async stop() {
      await Promise.race([Promise.allSettled(loops), sleep(5000)]);
      await opened.close();
      await journal.close();
    },
  };
}

/** The home as the last `up` left it, opened again whenever one wrote other settings. */
class OpenedSite {
  readonly #paths: HomePaths;
  readonly #program: Program;
  readonly #journal: Journal;
  #stamp = 0;
  #open: Promise<{ site: Site; deputy: Deputy }> | undefined;

  constructor(paths: HomePaths, program: Program, journal: Journal) {
    this.#paths = paths;
    this.#program = program;
    this.#journal = journal;
  }

  async use(work: (open: { site: Site; deputy: Deputy }) => Promise<string[]>): Promise<string[]> {
    const stamp = await installationStamp(this.#paths);
    // Started before its home was set up: there is nothing to do yet.
    if (stamp === 0) return [];
    if (!this.#open || stamp !== this.#stamp) {
      await this.close();
      this.#open = this.#openNow();
      this.#stamp = stamp;
    }
    return work(await this.#open);
  }

  async close(): Promise<void> {
    const open = await this.#open?.catch(() => undefined);
    open?.deputy.close();
    await open?.site.close();
  }

  async #openNow(): Promise<{ site: Site; deputy: Deputy }> {
    const site = await openInstalledSite(this.#paths.root, this.#program);
    return { site, deputy: new Deputy({ site, journal: this.#journal, registry }) };
  }
}
