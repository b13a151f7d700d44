import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { sleep, systemClock, waitUntil } from "../../src/core/clock.ts";
import { newRunId } from "../../src/core/ids.ts";
import { identify } from "../../src/host/processes.ts";
import { openFileJournal } from "../../src/journal/file.ts";
import { journalContract, type ContractOptions, type ContractStore } from "../../src/journal/journal.contract.ts";
import type { Holder, Journal, LocalJournal } from "../../src/journal/journal.ts";
import { MirroredJournal } from "../../src/journal/mirrored.ts";
import { openPlatformJournal } from "../../src/journal/platform.ts";
import { Runner } from "../../src/operations/runner.ts";
import type { Site } from "../../src/site/site.ts";
import { migrate } from "../../src/store/migrate.ts";
import { childrenOf } from "../harness/engines.ts";
import { shortEntries, testOperation, World } from "../harness/runs.ts";
import { TemporaryPostgres } from "../harness/temporary-postgres.ts";

/** The journal of a hub with a real PostgreSQL beside its file, which stops, says nothing, and comes back. */
let server: TemporaryPostgres;
let folder: string;
let name: string;
const opened: Journal[] = [];

beforeAll(async () => {
  server = await TemporaryPostgres.start();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hl-mirror-"));
  name = await server.createDatabase();
  await migrate(server.open(name));
});
afterEach(async () => {
  for (const journal of opened.splice(0)) await journal.close();
  await rm(folder, { recursive: true });
});
afterAll(() => server.destroy());

async function twoHomes(options: ContractOptions): Promise<ContractStore> {
  const path = await mkdtemp(join(tmpdir(), "hl-mirror-"));
  const database = server.open(name);
  return {
    connect: async (holder) =>
      new MirroredJournal({
        local: openFileJournal({ ...options, holder, path: join(path, `${holder.pid}.db`) }),
        shared: openPlatformJournal({ ...options, holder, database }),
        leadership: { isLeader: true },
      }),
    destroy: () => rm(path, { recursive: true }),
  };
}

journalContract("files with the platform database beside them", twoHomes);

const own: Holder = identify(process.pid)!;
const homePath = (home: string): string => join(folder, `${home}.db`);

const openLocal = (home: string, holder = own): LocalJournal =>
  openFileJournal({ clock: systemClock, holder, isAlive: () => true, path: homePath(home) });

/** A hub of this process. */
function hub(home = "one"): MirroredJournal {
  const journal = new MirroredJournal({
    local: openLocal(home),
    shared: openPlatformJournal({ clock: systemClock, holder: own, isAlive: () => true, database: server.open(name) }),
    leadership: { isLeader: true },
  });
  opened.push(journal);
  return journal;
}

/** How often the tables have each run, with its state, and each line. */
async function tables(): Promise<{ runs: string[]; lines: string[] }> {
  const runs = await server.query<{ state: string; n: string }>(
    name,
    "SELECT state, count(*) AS n FROM workflows GROUP BY state ORDER BY state",
  );
  const lines = await server.query<{ step: string; event: string; n: string }>(
    name,
    "SELECT step, event, count(*) AS n FROM workflow_steps GROUP BY step, event, workflow_id ORDER BY min(seq)",
  );
  return {
    runs: runs.map(({ state, n }) => `${state} ${n}`),
    lines: lines.map(({ step, event, n }) => `${step} ${event} ${n}`),
  };
}

const runnerOf = (journal: Journal, operation = testOperation([])) =>
  new Runner({ site: { clock: systemClock } as unknown as Site, journal, registry: [operation] });

const isBack = (journal: MirroredJournal) =>
  waitUntil(async () => !journal.isAlone, { timeout: 20, what: "the platform database is back" });

test("PostgreSQL that stops in the middle of a run does not stop the run, and afterwards has all of it, once", async () => {
  const world = new World();
  const journal = hub();
  const stopsServer = world.step("b", {
    run: async () => {
      await server.stop();
      world.facts.add("b");
      return { says: "stopped" };
    },
  });
  const operation = testOperation([world.step("a"), stopsServer, world.step("c"), world.step("d")]);
  const begun = performance.now();
  const { run } = await runnerOf(journal, operation).start("test.do", {}, { caller: "test" });
  const seconds = (performance.now() - begun) / 1000;
  expect(run.state).toBe("completed");
  expect(journal.isAlone).toBe(true);
  expect((await journal.list()).map(({ state }) => state)).toEqual(["completed"]);
  await server.restart();
  await isBack(journal);
  await journal.sync();
  const steps = ["a", "b", "c", "d"];
  expect(await tables()).toEqual({
    runs: ["completed 1"],
    lines: steps.flatMap((step) => [`${step} started 1`, `${step} done 1`]),
  });
  console.log(`gap: a run through a stop of PostgreSQL took ${seconds.toFixed(1)} s`);
  expect(seconds).toBeLessThan(8);
});

test("PostgreSQL that says nothing more costs a run a second, once", async () => {
  const world = new World();
  const journal = hub();
  await journal.list();
  const operation = testOperation(Array.from({ length: 10 }, (_, i) => world.step(`step-${i}`)));
  const postmaster = await server.pid();
  const frozen = [postmaster, ...childrenOf(postmaster)];
  for (const pid of frozen) process.kill(pid, "SIGSTOP");
  const begun = performance.now();
  try {
    await runnerOf(journal, operation).start("test.do", {}, { caller: "test" });
    await journal.list();
  } finally {
    for (const pid of frozen) process.kill(pid, "SIGCONT");
  }
  const seconds = (performance.now() - begun) / 1000;
  console.log(`gap: a run beside a frozen PostgreSQL took ${seconds.toFixed(1)} s`);
  expect(seconds).toBeLessThan(2);
  await isBack(journal);
  await journal.sync();
  const { runs, lines } = await tables();
  expect(runs).toEqual(["completed 1"]);
  expect(lines).toHaveLength(20);
  expect(new Set(lines.map((line) => line.split(" ").at(-1)))).toEqual(new Set(["1"]));
});

test("what several processes bring at once is there once", async () => {
  const local = openLocal("one");
  opened.push(local);
  for (let n = 0; n < 30; n++) {
    const id = newRunId(Date.now() + n);
    const run = { id, operation: "test.do", input: { n }, steps: [], locks: [], caller: "test" };
    const admission = await local.begin(run);
    if (admission.kind !== "claimed") throw new Error(admission.kind);
    for (const step of ["a", "b", "c"]) await local.append(admission.claim, { step, event: "done", says: `${n}` });
    await local.finish(admission.claim, "completed", { result: n });
  }
  const argument = JSON.stringify({ connection: server.connection(name), path: homePath("one") });
  const script = join(import.meta.dirname, "../harness/mirror-worker.ts");
  const ends = Array.from({ length: 3 }, async () => {
    const argv = ["--disable-warning=ExperimentalWarning", script, argument];
    const [code] = (await once(spawn(process.execPath, argv, { stdio: "inherit" }), "exit")) as [number | null];
    return code;
  });
  expect(await Promise.all(ends)).toEqual([0, 0, 0]);
  expect(await local.unsynced()).toEqual([]);
  const { runs, lines } = await tables();
  expect([runs, lines.length]).toEqual([["completed 30"], 90]);
  expect(new Set(lines.map((line) => line.split(" ").at(-1)))).toEqual(new Set(["1"]));
});

test("what was done before there were tables for it is there once there are", async () => {
  name = await server.createDatabase();
  const journal = hub();
  const world = new World();
  await runnerOf(journal, testOperation([world.step("a")])).start("test.do", {}, { caller: "test" });
  expect(await journal.list()).toHaveLength(1);
  await migrate(server.open(name));
  expect(await journal.sync()).toBe(1);
  expect(await tables()).toEqual({ runs: ["completed 1"], lines: ["a started 1", "a done 1"] });
});

test("a run that another hub took over is lost to the first one at its next line, and has one effect", async () => {
  const world = new World();
  const [one, other] = [hub("one"), hub("other")];
  let wake = () => {};
  const asleep = new Promise<void>((resolve) => (wake = resolve));
  const operation = testOperation([world.step("a"), world.step("b", { barrier: true }), world.step("c")]);
  const frozen = new Runner({
    ...{ site: { clock: systemClock } as unknown as Site, journal: one, registry: [operation] },
    onCrashPoint: async ({ step, moment }) => {
      if (step === "a" && moment === "after-journal") await asleep;
    },
  });
  const first = frozen.start("test.do", {}, { caller: "test" }).catch((error: unknown) => error);
  await waitUntil(async () => world.facts.has("a"), { timeout: 10, what: "the first step is done" });
  const [run] = await other.list();
  // What a newer leader knows: nobody else is at it.
  await server.query(name, "UPDATE workflows SET lease_until = 'epoch'");
  expect(await runnerOf(other, operation).tryResume(run!)).toBe(true);
  wake();
  expect(await first).toMatchObject({ code: "lease_lost" });
  expect(world.done).toEqual(["a", "b", "c"]);
  expect((await one.get(run!.id))!.state).toBe("completed");
  expect(shortEntries(await one.entries(run!.id)).filter((line) => line.startsWith("b"))).toEqual([
    "b started",
    "b done",
  ]);
  expect((await tables()).runs).toEqual(["completed 1"]);
  await sleep(50);
  expect(world.done).toEqual(["a", "b", "c"]);
});
