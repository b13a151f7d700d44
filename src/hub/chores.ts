import { sleep } from "../core/clock.ts";
import { keepBallast } from "../host/ballast.ts";
import { exists } from "../host/files.ts";
import type { RunId } from "../core/ids.ts";
import type { Journal, Run } from "../journal/journal.ts";
import {
  remakePlatformDatabase,
  removeLeftRestores,
  renewCertificate,
  startDue,
  type Chore,
  type Tell,
} from "../operations/chores.ts";
import type { Bench } from "../operations/desk.ts";
import { Detach } from "../operations/runner.ts";
import type { Runner } from "../operations/runner.ts";
import { walFolder } from "../reports/archiving.ts";
import type { Site } from "../site/site.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** So many interrupted runs are gone on with at once, and one that could not be is left alone for so long. */
const AT_ONCE = 8;
const LEFT_ALONE = 5 * SECOND;

/** What the chores of a hub work with. */
export interface HubChores {
  site: Site;
  leadership: { readonly isLeader: boolean };
  journal: Pick<Journal, "interrupted" | "get"> & { sync(): Promise<number> };
  takeBench(): Bench;
  /** What brings to the platform database what was kept while it was away; each answers how much that was. */
  drains: Record<string, () => Promise<number>>;
  /** What removes what has had its day; each answers how much that was. */
  purges: Record<string, () => Promise<number>>;
  /** Starts the backup or the check of the repositories that is due, and the proof. */
  keepTimetable(runner: Runner): Promise<string[]>;
  keepProofs(runner: Runner): Promise<string[]>;
  /** Looks at the repositories and at archiving, so that a page need not wait for them. */
  sampleBackups(): Promise<void>;
}

/** What a hub repeats: every hub brings its own records, and the one that leads starts what has to be started. */
export function hubChores(parts: HubChores, tell: Tell): Chore[] {
  const { site, journal } = parts;
  const resumer = new Resumer(parts, tell);
  const leading = (name: string, every: number, work: Chore["work"]): Chore => ({
    name,
    every,
    work: async () => (parts.leadership.isLeader ? work() : []),
  });
  const bootstrapped = (work: (runner: Runner) => Promise<string[]>) => async () =>
    (await exists(site.topology.paths.bootstrapped)) ? atBench(parts, work) : [];
  return [
    leading("resume", SECOND, () => resumer.look()),
    leading(
      "due",
      MINUTE,
      bootstrapped((runner) => startDue(site, runner)),
    ),
    leading(
      "restores",
      MINUTE,
      bootstrapped(() => removeLeftRestores(site, journal)),
    ),
    leading(
      "platform database",
      10 * SECOND,
      bootstrapped((runner) => remakePlatformDatabase(site, runner)),
    ),
    leading(
      "certificates",
      HOUR,
      bootstrapped((runner) => renewCertificate(site, runner)),
    ),
    leading(
      "timetable",
      15 * SECOND,
      bootstrapped((runner) => parts.keepTimetable(runner)),
    ),
    leading(
      "proofs",
      30 * SECOND,
      bootstrapped((runner) => parts.keepProofs(runner)),
    ),
    {
      name: "repositories",
      every: 20 * SECOND,
      work: async () => {
        if (await exists(site.topology.paths.bootstrapped)) await parts.sampleBackups();
        return [];
      },
    },
    {
      name: "ballast",
      every: 10 * MINUTE,
      work: async () =>
        (await exists(site.topology.paths.bootstrapped)) && (await keepBallast(walFolder(site.topology)))
          ? ["some space was put by beside the WAL, to be given up when the disk is full"]
          : [],
    },
    { name: "journal", every: 5 * SECOND, work: async () => said(await journal.sync(), "operations were brought") },
    ...Object.entries(parts.drains).map(([name, drain]) => ({
      name,
      every: 5 * SECOND,
      work: async () => said(await drain(), "kept records were written"),
    })),
    ...Object.entries(parts.purges).map(([name, purge]) => leading(name, HOUR, async () => (await purge(), []))),
  ];
}

const said = (count: number, what: string): string[] => (count > 0 ? [`${what}: ${count}`] : []);

async function atBench<T>({ takeBench }: HubChores, work: (runner: Runner) => Promise<T>): Promise<T> {
  const bench = takeBench();
  try {
    return await work(bench.runner);
  } finally {
    bench.done();
  }
}

/** Goes on with interrupted runs, each at a bench of its own: one that takes hours does not hold up the others. */
class Resumer {
  readonly #parts: HubChores;
  readonly #tell: Tell;
  readonly #busy = new Set<RunId>();

  constructor(parts: HubChores, tell: Tell) {
    this.#parts = parts;
    this.#tell = tell;
  }

  async look(): Promise<string[]> {
    const runs = (await this.#parts.journal.interrupted()).filter(({ id }) => !this.#busy.has(id));
    for (const run of runs.slice(0, AT_ONCE - this.#busy.size)) void this.#resume(run);
    return [];
  }

  async #resume(run: Run): Promise<void> {
    this.#busy.add(run.id);
    try {
      const resumed = await atBench(this.#parts, (runner) => runner.tryResume(run));
      if (resumed) this.#tell("resume", `${run.operation} (${run.id})`, "info");
      // Another version began it, say, and it waits for that one: it need not be asked each second.
      else await sleep(LEFT_ALONE);
    } catch (error) {
      // Another hub leads now, and goes on with it.
      if (!(error instanceof Detach)) this.#tell("resume", `${run.operation} (${run.id}): ${String(error)}`, "warn");
    } finally {
      this.#busy.delete(run.id);
    }
  }
}
