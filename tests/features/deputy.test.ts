import { rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Deputy } from "../../src/agent/deputy.ts";
import { sleep, systemClock } from "../../src/core/clock.ts";
import { writeAtomic } from "../../src/host/files.ts";
import { notePid, pidFile, type ProcessSpec } from "../../src/host/processes.ts";
import { writeDesired } from "../../src/host/services.ts";
import { Leadership } from "../../src/hub/leadership.ts";
import { newRunId } from "../../src/core/ids.ts";
import { openFileJournal } from "../../src/journal/file.ts";
import type { LocalJournal } from "../../src/journal/journal.ts";
import { openJournal } from "../../src/journal/open.ts";
import type { AnyOperation } from "../../src/operations/operation.ts";
import type { Site } from "../../src/site/site.ts";
import { testOperation, World } from "../harness/runs.ts";
import { SingleEtcd } from "../harness/single-etcd.ts";

/** What the agent does in the hub's place, on a real etcd; there is no platform database. */
let etcd: SingleEtcd;
let journal: LocalJournal;
let world: World;
let door: Server | undefined;
const deputies: Deputy[] = [];
const going = new AbortController().signal;

beforeAll(async () => {
  etcd = await SingleEtcd.start();
});
beforeEach(async () => {
  const { paths } = etcd.topology;
  world = new World();
  for (const file of [paths.journal, paths.services, pidFile(paths.run, "hub")]) await rm(file, { force: true });
  journal = openJournal(paths);
});
afterEach(async () => {
  for (const deputy of deputies.splice(0)) deputy.close();
  await new Promise((resolve) => (door ? door.close(resolve) : resolve(undefined)));
  door = undefined;
  await journal.close();
});
afterAll(() => etcd.destroy());

function standIn(operation: AnyOperation, patience = 1000): Deputy {
  const secrets = () => Promise.reject(new Error("there are no secrets"));
  const site = { topology: etcd.topology, clock: systemClock, secrets } as unknown as Site;
  const made = new Deputy({ site, journal, registry: [operation], patience });
  deputies.push(made);
  return made;
}

/** A run whose process is gone. */
async function interrupted(): Promise<void> {
  const holder = { pid: 1, startTicks: "0", bootId: "an earlier one" };
  const dead = openFileJournal({ path: etcd.topology.paths.journal, clock: systemClock, holder, isAlive: () => false });
  const id = newRunId(Date.now());
  await dead.begin({ id, operation: "test.do", input: {}, steps: ["a"], locks: [], caller: "test" });
  await dead.close();
}

/** Makes the home one that has a hub; `answers` says whether that one lives and does so. */
async function wantHub(answers: boolean): Promise<void> {
  const { paths } = etcd.topology;
  door = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => door!.listen(0, "127.0.0.1", resolve));
  const { port } = door.address() as { port: number };
  const hub = { name: "hub", ready: { tcp: port } } as unknown as ProcessSpec;
  await writeDesired(paths, { services: [hub], up: true });
  if (answers) await notePid(pidFile(paths.run, "hub"), process.pid);
}

/** A hub that stands for the leadership. */
const hub = (lockPath: string) =>
  new Leadership({
    me: { name: "hub", url: "https://hub" },
    scope: etcd.topology.scope,
    node: "hub",
    leases: etcd.leases(),
    lockPath,
    aloneAllowed: false,
  });

const leader = () => etcd.leases().read(`/homelab/${etcd.topology.scope}/hub/leader`);

test("a home without a hub has its runs finished at once, and nobody leads afterwards", async () => {
  await interrupted();
  const [done] = await standIn(testOperation([world.step("a")])).look(going);
  expect(done).toMatch(/^test\.do \(op_/);
  expect(world.done).toEqual(["a"]);
  expect((await journal.list()).map(({ state }) => state)).toEqual(["completed"]);
  expect(await leader()).toBeUndefined();
});

test("a home whose hub does not lead has them finished after a while, not before", async () => {
  await wantHub(false);
  await interrupted();
  const one = standIn(testOperation([world.step("a")]));
  expect(await one.look(going)).toEqual([]);
  await sleep(1100);
  expect(await one.look(going)).toHaveLength(1);
  expect(world.done).toEqual(["a"]);
});

test("while a hub leads it does nothing, and its patience begins anew", async () => {
  await wantHub(false);
  await interrupted();
  const leading = hub(`${etcd.folder}/elsewhere.lock`);
  const one = standIn(testOperation([world.step("a")]));
  expect(await leading.campaign()).toBe(true);
  await sleep(1100);
  expect(await one.look(going)).toEqual([]);
  await leading.resign();
  expect(await one.look(going)).toEqual([]);
  expect(world.done).toEqual([]);
  await sleep(1100);
  expect(await one.look(going)).toHaveLength(1);
});

test("with etcd away it acts by the lock of its home, but not beside a hub that answers", async () => {
  await wantHub(true);
  await interrupted();
  await etcd.kill();
  try {
    const one = standIn(testOperation([world.step("a")]), 100);
    for (let times = 0; times < 20; times++) expect(await one.look(going)).toEqual([]);
    await rm(pidFile(etcd.topology.paths.run, "hub"));
    await sleep(200);
    const did: string[] = [];
    for (let times = 0; times < 20; times++) did.push(...(await one.look(going)));
    expect(did).toHaveLength(1);
  } finally {
    await etcd.restart();
  }
  expect(world.done).toEqual(["a"]);
});

test("a hub that comes while it is at a run gets the run and the leadership", async () => {
  await wantHub(false);
  await interrupted();
  const waits = world.step("a", { run: async ({ signal }) => (await sleep(60_000, signal), { says: "never" }) });
  const one = standIn(testOperation([waits]), 0);
  const acting = one.look(going);
  await sleep(700);
  expect((await leader())?.value).toContain('"agent:');
  await notePid(pidFile(etcd.topology.paths.run, "hub"), process.pid);
  expect(await acting).toEqual([]);
  expect(await leader()).toBeUndefined();
  expect(await journal.interrupted()).toHaveLength(1);
});

test("an agent that is told to end leaves its run to the next", async () => {
  await interrupted();
  const waits = world.step("a", { run: async ({ signal }) => (await sleep(60_000, signal), { says: "never" }) });
  const ending = new AbortController();
  const acting = standIn(testOperation([waits])).look(ending.signal);
  await sleep(700);
  ending.abort();
  expect(await acting).toEqual([]);
  expect(await journal.interrupted()).toHaveLength(1);
  expect(await leader()).toBeUndefined();
});

test("it comes round to what is due only in a home that was set up whole", async () => {
  const { bootstrapped } = etcd.topology.paths;
  const one = standIn(testOperation([]));
  expect(await one.look(going)).toEqual([]);
  await writeAtomic(bootstrapped, "{}");
  try {
    // There is no PostgreSQL here to ask: that it is asked shows that it is due.
    await expect(one.look(going)).rejects.toThrow();
    expect(await leader()).toBeUndefined();
  } finally {
    await rm(bootstrapped);
  }
});
