import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { sleep, waitUntil } from "../../src/core/clock.ts";
import type { EtcdLeases } from "../../src/engines/etcd/lease.ts";
import type { LeaderWork } from "../harness/leader-worker.ts";
import { SingleEtcd } from "../harness/single-etcd.ts";

/** Several candidates in processes of their own, on a real etcd. */
let etcd: SingleEtcd;
let leases: EtcdLeases;
const candidates: Candidate[] = [];

beforeAll(async () => {
  etcd = await SingleEtcd.start();
  leases = etcd.leases();
});
afterEach(async () => {
  await Promise.all(candidates.splice(0).map((each) => each.kill()));
  await leases
    .read("/homelab/test/hub/leader")
    .then((key) => key && leases.remove("/homelab/test/hub/leader", key.revision));
});
afterAll(() => etcd.destroy());

/** A moment at which a candidate was sure that it leads. */
interface Moment {
  name: string;
  at: number;
  revision: number;
}

class Candidate {
  readonly name: string;
  readonly moments: Moment[] = [];
  readonly child: ChildProcess;

  constructor(name: string, more: Partial<LeaderWork> = {}) {
    this.name = name;
    const lockPath = join(etcd.folder, `${name}.lock`);
    const work: LeaderWork = { access: etcd.access, name, lockPath, aloneAllowed: false, ...more };
    const argv = ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "../harness/leader-worker.ts")];
    this.child = spawn(process.execPath, [...argv, JSON.stringify(work)], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    this.child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (text + chunk).split("\n");
      text = lines.pop()!;
      for (const [at, revision] of lines.map((line) => line.split(" ").map(Number)))
        this.moments.push({ name, at: at!, revision: revision! });
    });
    candidates.push(this);
  }

  /** Waits until it leads, from now on; answers after how many seconds it did. */
  async leads(timeout = 15): Promise<number> {
    const begun = Date.now();
    const first = () => this.moments.find(({ at }) => at >= begun);
    await waitUntil(async () => first() !== undefined, { timeout, every: 10, what: `${this.name} leads` });
    return (first()!.at - begun) / 1000;
  }

  get leadsNow(): boolean {
    return Date.now() - (this.moments.at(-1)?.at ?? 0) < 200;
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }
}

/** Who led, one after the other; every change must have brought a larger revision, and nobody may have led beside another. */
function reigns(): { name: string; revision: number }[] {
  const moments = candidates.flatMap(({ moments: own }) => own).sort((a, b) => a.at - b.at);
  const found: { name: string; revision: number }[] = [];
  for (const { name, revision } of moments) {
    const last = found.at(-1);
    if (last?.name === name && last.revision === revision) continue;
    if (last) expect(revision).toBeGreaterThan(last.revision);
    found.push({ name, revision });
  }
  return found;
}

async function two(): Promise<[Candidate, Candidate]> {
  const one = new Candidate("one");
  await one.leads();
  const other = new Candidate("other");
  await sleep(2000);
  expect(other.moments).toEqual([]);
  return [one, other];
}

test("a leader that is killed is followed by the other within seconds", async () => {
  const [one, other] = await two();
  await one.kill();
  const seconds = await other.leads();
  console.log(`gap: leader killed, the other leads after ${seconds.toFixed(1)} s`);
  expect(seconds).toBeLessThan(8);
  expect(reigns().map(({ name }) => name)).toEqual(["one", "other"]);
});

test("a leader that ends is followed at once", async () => {
  const [one, other] = await two();
  one.signal("SIGTERM");
  expect(await other.leads()).toBeLessThan(2.5);
  expect(reigns().map(({ name }) => name)).toEqual(["one", "other"]);
});

test("a leader of the same home that is killed is followed at once: its lock proves it", async () => {
  const lockPath = join(etcd.folder, "home.lock");
  const one = new Candidate("hub", { lockPath });
  await one.leads();
  await one.kill();
  expect(await new Candidate("hub", { lockPath }).leads()).toBeLessThan(2.5);
  reigns();
});

test("a leader that is frozen for ten seconds finds itself deposed when it wakes, and nobody ever led beside another", async () => {
  const [one, other] = await two();
  one.signal("SIGSTOP");
  const frozen = Date.now();
  await other.leads();
  await sleep(10_000 - (Date.now() - frozen));
  one.signal("SIGCONT");
  const woken = Date.now();
  await sleep(3000);
  expect(one.moments.filter(({ at }) => at >= woken)).toEqual([]);
  expect([one.leadsNow, other.leadsNow]).toEqual([false, true]);
  expect(reigns().map(({ name }) => name)).toEqual(["one", "other"]);
});

test("with etcd away nobody leads but the only home of its cluster; with etcd back somebody does", async () => {
  const one = new Candidate("one");
  await one.leads();
  process.kill(etcd.pid, "SIGSTOP");
  try {
    await sleep(5000);
    expect(one.leadsNow).toBe(false);
    await sleep(3000);
    expect(one.leadsNow).toBe(false);
  } finally {
    process.kill(etcd.pid, "SIGCONT");
  }
  await one.leads();
  reigns();
});

test("the only home of its cluster leads on while etcd is killed and started again, without a break", async () => {
  const one = new Candidate("one", { aloneAllowed: true });
  await one.leads();
  await etcd.kill();
  await sleep(7000);
  await etcd.restart();
  await sleep(4000);
  const gaps = one.moments.slice(1).map(({ at }, i) => at - one.moments[i]!.at);
  expect(Math.max(...gaps)).toBeLessThan(1000);
  expect(one.leadsNow).toBe(true);
  expect((await leases.read("/homelab/test/hub/leader"))?.value).toContain('"one"');
});

test("a key is made by one alone, goes with its lease, and is removed only as the one it was", async () => {
  const [lease, second] = [await leases.grant(5), await leases.grant(5)];
  const revision = (await leases.create("/test/key", "a value: ä", lease))!;
  expect(revision).toBeGreaterThan(0);
  expect(await leases.create("/test/key", "other", second)).toBeUndefined();
  expect(await leases.read("/test/key")).toEqual({ value: "a value: ä", revision });
  await leases.remove("/test/key", revision + 1);
  expect(await leases.read("/test/key")).toBeDefined();
  expect(await leases.keepAlive(lease)).toBe(true);
  await leases.revoke(lease);
  expect([await leases.read("/test/key"), await leases.keepAlive(lease)]).toEqual([undefined, false]);
  const next = (await leases.create("/test/key", "", second))!;
  expect(next).toBeGreaterThan(revision);
  await leases.remove("/test/key", next);
  expect(await leases.read("/test/key")).toBeUndefined();
});

test("a key without a lease stays until it is removed", async () => {
  await leases.write("/test/note", "one");
  await leases.write("/test/note", "two");
  const note = (await leases.read("/test/note"))!;
  expect(note.value).toBe("two");
  await leases.remove("/test/note", note.revision);
  expect(await leases.read("/test/note")).toBeUndefined();
});
