import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { sleep, waitUntil } from "../../src/core/clock.ts";
import { migrate } from "../../src/store/migrate.ts";
import type { HubWork } from "../harness/hub-worker.ts";
import { SingleEtcd } from "../harness/single-etcd.ts";
import { TemporaryPostgres } from "../harness/temporary-postgres.ts";

/** Two hubs in homes of their own, on one etcd and one platform database: what one leaves, the other finishes, once. */
let etcd: SingleEtcd;
let server: TemporaryPostgres;
let folder: string;
let database: string;
let hubs: Hub[];

const STEPS = ["one", "two", "three", "four", "five", "six", "seven", "eight"];

beforeAll(async () => {
  [etcd, server] = await Promise.all([SingleEtcd.start(), TemporaryPostgres.start()]);
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hl-hubs-"));
  await writeFile(join(folder, "effects"), "");
  database = await server.createDatabase();
  await migrate(server.open(database));
  hubs = [];
});
afterEach(async () => {
  await Promise.all(hubs.map((hub) => hub.kill()));
  await rm(folder, { recursive: true });
  // The key of the last leader runs out.
  await waitUntil(async () => !(await etcd.leases().read("/homelab/test/hub/leader")), {
    timeout: 15,
    what: "nobody leads",
  });
});
afterAll(async () => {
  await etcd.destroy();
  await server.destroy();
});

class Hub {
  readonly name: string;
  readonly child: ChildProcess;
  readonly lines: string[] = [];

  constructor(name: string, pace = 300) {
    this.name = name;
    // As the platform's own sessions have it: a hub that is frozen within a transaction must not hold its locks for long.
    const options = "-c idle_in_transaction_session_timeout=3s";
    const connection = { ...server.connection(database), max: 8, options };
    const work: HubWork = { access: etcd.access, connection, name, folder, effects: join(folder, "effects"), pace };
    const script = join(import.meta.dirname, "../harness/hub-worker.ts");
    const argv = ["--disable-warning=ExperimentalWarning", script, JSON.stringify(work)];
    this.child = spawn(process.execPath, argv, { stdio: ["pipe", "pipe", "inherit"] });
    this.child
      .stdout!.setEncoding("utf8")
      .on("data", (text: string) => this.lines.push(...text.split("\n").filter(Boolean)));
    this.child.stdin!.on("error", () => {});
    hubs.push(this);
  }

  leads(): Promise<unknown> {
    const isLeader = () => this.lines.findLast((line) => ["leads", "follows"].includes(line)) === "leads";
    return waitUntil(async () => isLeader(), { timeout: 20, what: `${this.name} leads`, why: said });
  }

  begin(name: string): void {
    this.child.stdin!.write(`${name}\n`);
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }
}

const said = (): string => hubs.flatMap(({ name, lines }) => lines.map((line) => `${name}: ${line}`)).join("\n");

const effects = async (): Promise<string[]> =>
  (await readFile(join(folder, "effects"), "utf8")).split("\n").filter(Boolean);

const states = () =>
  server.query<{ state: string; epoch: number }>(database, "SELECT state, epoch FROM workflows ORDER BY id");

const allOver = (runs = 1) =>
  waitUntil(
    async () => {
      const found = await states();
      return found.length === runs && found.every(({ state }) => state !== "running");
    },
    {
      timeout: 60,
      what: "every operation is over",
      why: () => hubs.flatMap(({ name, lines }) => lines.map((line) => `${name}: ${line}`)).join("\n"),
    },
  );

async function leaderAndOther(pace?: number): Promise<[Hub, Hub]> {
  const one = new Hub("one", pace);
  await one.leads();
  const other = new Hub("other", pace);
  await sleep(500);
  return [one, other];
}

/** Waits until the operation has begun, and so many of its steps are done. */
const behindStep = (n: number) =>
  waitUntil(async () => (n > 0 || (await states()).length > 0) && (await effects()).length >= n, {
    timeout: 20,
    every: 5,
    what: `step ${n}`,
  });

/** Each effect is there once, in order; the lines are numbered without a gap, and none is there twice. */
async function expectOnce(runs = ["x"]): Promise<void> {
  const had = (await effects()).map((line) => line.split(" ")[1]!);
  for (const run of runs)
    expect(had.filter((line) => line.startsWith(`${run}:`))).toEqual(STEPS.map((step) => `${run}:${step}`));
  expect(had).toHaveLength(runs.length * STEPS.length);
  const gaps = await server.query(
    database,
    "SELECT workflow_id FROM workflow_steps GROUP BY workflow_id HAVING max(seq) <> count(*)",
  );
  expect(gaps).toEqual([]);
}

test.each([0, 2, 4, 5])(
  "a leader that is killed behind step %i of an operation: the other finishes it, once",
  async (steps) => {
    const [one, other] = await leaderAndOther();
    one.begin("x");
    await behindStep(steps);
    await sleep(steps * 40);
    await one.kill();
    const killed = Date.now();
    await allOver();
    console.log(`gap: finished ${((Date.now() - killed) / 1000).toFixed(1)} s after the leader was killed`);
    expect(await states()).toMatchObject([{ state: "completed" }]);
    await expectOnce();
    expect((await effects()).at(-1)).toMatch(/^other /);
    expect(other.lines.some((line) => line.startsWith("resume"))).toBe(true);
  },
);

test("a leader that is frozen in the middle of an operation: the other finishes it, and the first does nothing more when it wakes", async () => {
  const [one] = await leaderAndOther();
  one.begin("x");
  await behindStep(3);
  one.child.kill("SIGSTOP");
  await allOver();
  const before = await effects();
  one.child.kill("SIGCONT");
  await sleep(3000);
  expect(await effects()).toEqual(before);
  await expectOnce();
  expect(one.lines.find((line) => line.startsWith("ended x"))).toMatch(/detached/);
  expect(one.lines.at(-1)).not.toBe("leads");
});

test("several operations of a leader that is killed are all finished, once each", async () => {
  const [one] = await leaderAndOther();
  const runs = ["a", "b", "c", "d"];
  runs.forEach((run) => one.begin(run));
  await behindStep(10);
  await one.kill();
  await allOver(4);
  await expectOnce(runs);
});

test("hubs that are killed in turns, again and again, finish it, once", async () => {
  const [one] = await leaderAndOther(700);
  one.begin("x");
  let leader = one;
  for (let turn = 0; turn < 3; turn++) {
    await behindStep((await effects()).length + 1);
    await leader.kill();
    // Its home has a hub again at once, and either of the two may be the next.
    const both = [hubs.findLast(({ name }) => name !== leader.name)!, new Hub(leader.name, 700)];
    leader = await Promise.any(both.map(async (hub) => (await hub.leads(), hub)));
  }
  await allOver();
  await expectOnce();
});

test("a leader that is killed while the platform database is away: its home finishes it then, and another home only from the newest copy", async () => {
  const [one, other] = await leaderAndOther();
  one.begin("x");
  await behindStep(2);
  await server.stop();
  try {
    await behindStep(5);
    await one.kill();
    await other.leads();
    await sleep(3000);
    // It has no copy, and the database is away: nobody goes on.
    expect(await effects()).toHaveLength(5);
    await other.kill();
    const again = new Hub("one");
    await again.leads();
    await waitUntil(async () => (await effects()).length === STEPS.length, {
      timeout: 20,
      what: "the operation is done",
    });
  } finally {
    await server.restart();
  }
  await allOver();
  await expectOnce();
});
