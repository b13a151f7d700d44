import { appendFileSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "../../src/core/clock.ts";
import { EtcdLeases, type EtcdAccess } from "../../src/engines/etcd/lease.ts";
import { identify, isAlive } from "../../src/host/processes.ts";
import { hubChores } from "../../src/hub/chores.ts";
import { Leadership } from "../../src/hub/leadership.ts";
import { newestCopies } from "../../src/hub/newest-copies.ts";
import { openFileJournal } from "../../src/journal/file.ts";
import type { Holder } from "../../src/journal/journal.ts";
import { MirroredJournal } from "../../src/journal/mirrored.ts";
import { openPlatformJournal } from "../../src/journal/platform.ts";
import { repeat } from "../../src/operations/chores.ts";
import type { AnyOperation } from "../../src/operations/operation.ts";
import { Runner } from "../../src/operations/runner.ts";
import type { Site } from "../../src/site/site.ts";
import { PlatformDatabase } from "../../src/store/database.ts";
import { homePaths } from "../../src/cluster/home.ts";
import { testOperation } from "./runs.ts";

/** What a hub of a test is started with: all that hubs share, and what is its own. */
export interface HubWork {
  access: EtcdAccess;
  connection: object;
  name: string;
  folder: string;
  /** A line for each effect of the operation: who had it, and which. */
  effects: string;
  /** Milliseconds that each step takes. */
  pace: number;
}

/** Steps of the operation: each has an effect that can be seen, the fourth is a point of no return, and the fifth cannot be checked. */
const STEPS = ["one", "two", "three", "four", "five", "six", "seven", "eight"];

/** An operation whose every step takes a while and then writes a line. */
function slowOperation({ effects, name, pace }: HubWork): AnyOperation {
  const seen = () => readFileSync(effects, "utf8");
  const done = (step: string, n: string | undefined) => seen().includes(` ${n}:${step}\n`);
  return testOperation(
    STEPS.map((step) => ({
      name: step,
      plan: () => step,
      ...(step === "five" ? {} : { check: async ({ input }) => done(step, input.name) }),
      ...(step === "four" ? { barrier: true as const } : {}),
      deadline: 60,
      async run({ input, signal }) {
        await delay(pace, undefined, { signal });
        // Safe to repeat, as every step must be.
        if (!done(step, input.name)) appendFileSync(effects, `${name} ${input.name}:${step}\n`);
        return { says: step };
      },
    })),
    { locks: ({ name: lock }: { name?: string }) => [`test/${lock}`] },
  );
}

/** A hub without doors: it stands for the leadership, goes on with what was interrupted, and begins what a line of its input names. */
if (import.meta.main) {
  const work = JSON.parse(process.argv[2]!) as HubWork;
  const { access, connection, name, folder } = work;
  const leases = new EtcdLeases(access);
  const leadership = new Leadership({
    ...{ me: { name, url: "" }, scope: "test", node: name, leases, aloneAllowed: false },
    lockPath: `${folder}/${name}.lock`,
  });
  const { pid, startTicks, bootId } = identify(process.pid)!;
  const isLive = (holder: Holder) => isAlive({ ...holder, startedAt: "" });
  const common = { clock: systemClock, holder: { pid, startTicks, bootId }, isAlive: isLive };
  const database = new PlatformDatabase({ connect: async () => connection });
  const journal = new MirroredJournal({
    local: openFileJournal({ ...common, path: `${folder}/${name}.db` }),
    shared: openPlatformJournal({ ...common, database, leads: () => leadership.isLeader }),
    leadership,
    copies: newestCopies({ leases, scope: "test", home: name, aloneAllowed: false }),
    onTrouble: (error) => console.log(`trouble ${String(error)}`),
  });
  const site = { clock: systemClock, topology: { paths: homePaths(folder) } } as unknown as Site;
  const registry = [slowOperation(work)];
  const takeBench = () => ({
    runner: new Runner({ site, journal, registry, signal: leadership.signal }),
    done: () => {},
  });
  const begin = (input: string) =>
    takeBench()
      .runner.start("test.do", { name: input }, { caller: "test" })
      .then(
        () => console.log(`done ${input}`),
        (error: unknown) => console.log(`ended ${input} ${String(error)}`),
      );
  leadership.onChange(() => console.log(leadership.isLeader ? "leads" : "follows"));
  leadership.start();
  const tell = (chore: string, says: string) => console.log(`${chore} ${says}`);
  const chores = hubChores(
    {
      site,
      leadership,
      journal,
      takeBench,
      drains: {},
      purges: {},
      keepTimetable: async () => [],
      keepProofs: async () => [],
      sampleBackups: async () => {},
    },
    tell,
  );
  for (const chore of chores) void repeat(chore, new AbortController().signal, tell);
  process.stdin.setEncoding("utf8").on("data", (text: string) => {
    for (const line of text.split("\n").filter(Boolean)) void begin(line);
  });
}
