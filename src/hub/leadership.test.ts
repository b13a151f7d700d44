import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sleep, waitUntil } from "../core/clock.ts";
import { takeLock } from "../host/lock.ts";
import { LEASE_SECONDS, type LeaseStore } from "./leader-key.ts";
import { Leadership, type LeadershipOptions } from "./leadership.ts";

/** An etcd of one key for each name, on a clock of the test's own. */
class FakeEtcd implements LeaseStore {
  away = false;
  now = 0;
  takes = 0;
  stuck: Promise<void> | undefined;
  #revision = 10;
  readonly #keys = new Map<string, { value: string; revision: number; lease: string }>();
  readonly #leases = new Map<string, number>();

  async grant(ttl: number): Promise<string> {
    this.#look();
    this.now += this.takes;
    const id = String(++this.#revision);
    this.#leases.set(id, this.now + ttl * 1000);
    return id;
  }

  async keepAlive(lease: string): Promise<boolean> {
    await this.stuck;
    this.#look();
    if (!this.#leases.has(lease)) return false;
    this.#leases.set(lease, this.now + LEASE_SECONDS * 1000);
    return true;
  }

  async revoke(lease: string): Promise<void> {
    this.#look();
    this.#leases.delete(lease);
    this.#look();
  }

  async read(key: string): Promise<{ value: string; revision: number } | undefined> {
    this.#look();
    return this.#keys.get(key);
  }

  async create(key: string, value: string, lease: string): Promise<number | undefined> {
    this.#look();
    if (this.#keys.has(key)) return undefined;
    this.#keys.set(key, { value, lease, revision: ++this.#revision });
    return this.#revision;
  }

  async remove(key: string, revision: number): Promise<void> {
    this.#look();
    if (this.#keys.get(key)?.revision === revision) this.#keys.delete(key);
  }

  /** What an administrator might do, or a restore of an older etcd. */
  forget(): void {
    this.#keys.clear();
    this.#leases.clear();
  }

  #look(): void {
    if (this.away) throw new Error("no answer");
    for (const [id, end] of this.#leases) if (end <= this.now) this.#leases.delete(id);
    for (const [key, { lease }] of this.#keys) if (!this.#leases.has(lease)) this.#keys.delete(key);
  }
}

let etcd: FakeEtcd;
let folder: string;
let standing: Leadership[];
beforeEach(async () => {
  etcd = new FakeEtcd();
  folder = await mkdtemp(join(tmpdir(), "hl-lead-"));
  standing = [];
});
afterEach(async () => {
  etcd.away = false;
  for (const one of standing) await one.resign();
  await rm(folder, { recursive: true });
});

/** A candidate; each node has a home of its own. Unless told otherwise, it renews only when the test lets it. */
function candidate(name: string, more: Partial<LeadershipOptions> = {}): Leadership {
  const node = more.node ?? name;
  const made = new Leadership({
    me: { name, url: `https://${name}:5443` },
    scope: "home",
    node,
    leases: etcd,
    lockPath: join(folder, `${node}.lock`),
    aloneAllowed: false,
    now: () => etcd.now,
    beat: 3_600_000,
    ...more,
  });
  standing.push(made);
  return made;
}

const often = { beat: 5 };
const soon = (what: string, probe: () => boolean) => waitUntil(async () => probe(), { timeout: 5, every: 2, what });
const wait = (seconds: number): void => void (etcd.now += seconds * 1000);

describe("the leadership", () => {
  test("goes to one of those who stand, and the others know whom to ask", async () => {
    const [one, two] = [candidate("one"), candidate("two")];
    expect([await one.campaign(), await two.campaign()]).toEqual([true, false]);
    expect([one.isLeader, two.isLeader]).toEqual([true, false]);
    for (const each of [one, two]) expect(each.leader()).toEqual({ name: "one", url: "https://one:5443" });
    expect(two.revision).toBeUndefined();
    expect(two.signal.aborted).toBe(true);
  });

  test("of ten who stand at once goes to one", async () => {
    const all = Array.from({ length: 10 }, (_, i) => candidate(`n${i}`));
    const won = await Promise.all(all.map((each) => each.campaign()));
    expect(won.filter(Boolean)).toHaveLength(1);
  });

  test("has a larger revision with every leader", async () => {
    const [one, two] = [candidate("one"), candidate("two")];
    await one.campaign();
    const first = one.revision!;
    await one.resign();
    expect(await two.campaign()).toBe(true);
    expect(two.revision!).toBeGreaterThan(first);
  });

  test("is kept by renewing it", async () => {
    const one = candidate("one", often);
    await one.campaign();
    const { signal, revision } = one;
    for (let second = 0; second < 20; second++) {
      wait(1);
      await sleep(20);
    }
    expect([one.isLeader, one.revision, one.signal === signal, signal.aborted]).toEqual([true, revision, true, false]);
  });

  test("is free at once when it is given up, as soon as those who worked under it have ended", async () => {
    const [one, two] = [candidate("one"), candidate("two")];
    await one.campaign();
    const { signal } = one;
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const resigned = one.resign(() => ended);
    expect(signal.reason).toMatchObject({ code: "detached" });
    expect([await two.campaign(), one.isLeader]).toEqual([false, true]);
    end();
    await resigned;
    expect([await two.campaign(), one.isLeader]).toEqual([true, false]);
  });

  test("is taken by who waits for it when the leader is gone", async () => {
    const [one, two] = [candidate("one"), candidate("two", often)];
    await one.campaign();
    two.start();
    await soon("two sees one", () => two.leader()?.name === "one");
    wait(LEASE_SECONDS + 1);
    await soon("two leads", () => two.isLeader);
    expect([one.isLeader, one.leader()]).toEqual([false, undefined]);
  });

  test("is told to whoever listens, once for each change", async () => {
    const [one, two] = [candidate("one"), candidate("two", often)];
    const heard: (string | undefined)[] = [];
    const deaf = two.onChange(() => heard.push(two.leader()?.name));
    await one.campaign();
    two.start();
    await soon("two sees one", () => heard.length === 1);
    await one.resign();
    await soon("two leads", () => two.isLeader);
    await sleep(30);
    expect(heard.filter((name) => name !== undefined)).toEqual(["one", "two"]);
    deaf();
    await two.resign();
    expect(heard.at(-1)).toBe("two");
  });
});

describe("a leader that could not renew", () => {
  test("counts itself out before anybody else can begin", async () => {
    const [one, two] = [candidate("one"), candidate("two")];
    await one.campaign();
    const { signal } = one;
    wait(LEASE_SECONDS - 1);
    expect(one.isLeader).toBe(true);
    etcd.now += 1;
    expect(await two.campaign()).toBe(false);
    expect([one.isLeader, signal.aborted, one.revision]).toEqual([false, true, undefined]);
    wait(1);
    expect(await two.campaign()).toBe(true);
  });

  test("is told by a watchdog, without asking", async () => {
    const one = candidate("one");
    // etcd took so long to answer that little of the term is left, and then it says nothing more.
    etcd.takes = LEASE_SECONDS * 1000 - 1100;
    const { promise, resolve } = Promise.withResolvers<void>();
    etcd.stuck = promise;
    await one.campaign();
    const { signal } = one;
    expect(signal.aborted).toBe(false);
    wait(1);
    await soon("it has lost", () => signal.aborted);
    resolve();
  });

  test("has lost it when the clock went backwards: nothing can be said then", async () => {
    const one = candidate("one");
    await one.campaign();
    wait(-10);
    expect(one.isLeader).toBe(false);
  });

  test("stands again, under another revision, and does not get the old signal back", async () => {
    const one = candidate("one", often);
    one.start();
    await soon("it leads", () => one.isLeader);
    const { signal, revision } = one;
    etcd.away = true;
    wait(LEASE_SECONDS + 1);
    await soon("it has lost", () => signal.aborted);
    etcd.away = false;
    await soon("it leads again", () => one.isLeader);
    expect(one.revision!).toBeGreaterThan(revision!);
    expect([signal.aborted, one.signal.aborted]).toEqual([true, false]);
  });

  test("has lost it when the key is gone or another's, however well its lease is", async () => {
    const one = candidate("one", often);
    const two = candidate("two");
    await one.campaign();
    const { signal } = one;
    etcd.forget();
    await two.campaign();
    await soon("it has lost", () => signal.aborted);
    expect(signal.reason).toMatchObject({ code: "lease_lost" });
    expect([one.isLeader, two.isLeader]).toEqual([false, true]);
  });
});

describe("the lock of the home", () => {
  test("is needed to lead", async () => {
    const lock = takeLock(join(folder, "one.lock"))!;
    expect(await candidate("one").campaign()).toBe(false);
    lock.release();
    expect(await candidate("one").campaign()).toBe(true);
  });

  test("is free again when the leadership is lost or could not be had", async () => {
    const [one, two] = [candidate("one"), candidate("two")];
    await one.campaign();
    await two.campaign();
    takeLock(join(folder, "two.lock"))!.release();
    await one.resign();
    takeLock(join(folder, "one.lock"))!.release();
  });

  test("proves that the last leader of this home is gone: its key need not run out", async () => {
    const dead = candidate("one", { node: "n" });
    await dead.campaign();
    const revision = dead.revision!;
    // As a kill does: the lock is free, the key is not.
    wait(LEASE_SECONDS - 0.5);
    expect(dead.isLeader).toBe(false);
    const next = candidate("two", { node: "n" });
    expect(await next.campaign()).toBe(true);
    expect(next.revision!).toBeGreaterThan(revision);
  });

  test("of another home on the same machine proves nothing", async () => {
    await candidate("one", { node: "n" }).campaign();
    const other = candidate("two", { node: "n", lockPath: join(folder, "other.lock") });
    expect(await other.campaign()).toBe(false);
  });

  test("of a home that is not there is not to be had", async () => {
    expect(await candidate("one", { lockPath: join(folder, "none", "hub.lock") }).campaign()).toBe(false);
  });
});

describe("with etcd away", () => {
  /** Stands until etcd was silent for long enough. */
  async function insist(one: Leadership): Promise<boolean> {
    for (let times = 0; times < 10; times++) await one.campaign();
    return one.isLeader;
  }

  test("nobody leads", async () => {
    etcd.away = true;
    expect(await insist(candidate("one"))).toBe(false);
  });

  test("the only home of its cluster leads by its lock, which one process has", async () => {
    etcd.away = true;
    const [hub, agent] = ["hub", "agent"].map((name) => candidate(name, { node: "n", aloneAllowed: true }));
    expect([await insist(hub!), await insist(agent!)]).toEqual([true, false]);
    expect([hub!.isLeader, hub!.revision, hub!.leader()?.name]).toEqual([true, undefined, "hub"]);
    await hub!.resign();
    expect(await agent!.campaign()).toBe(true);
  });

  test("it waits until the term of another is over for certain", async () => {
    etcd.away = true;
    const one = candidate("one", { aloneAllowed: true });
    for (let times = 1; times < 10; times++) expect(await one.campaign()).toBe(false);
    // An answer in between, and it counts anew.
    etcd.away = false;
    const two = candidate("two");
    await two.campaign();
    await one.campaign();
    etcd.away = true;
    for (let times = 1; times < 10; times++) expect(await one.campaign()).toBe(false);
    expect(await one.campaign()).toBe(true);
  });

  test("it goes on in the term that etcd gave it, and in the same one when etcd is back", async () => {
    const one = candidate("one", { ...often, aloneAllowed: true });
    one.start();
    await soon("it leads", () => one.isLeader);
    const { signal, revision } = one;
    etcd.away = true;
    for (let second = 0; second < 20; second++) {
      await sleep(20);
      wait(1);
    }
    expect([one.isLeader, signal.aborted]).toEqual([true, false]);
    etcd.away = false;
    await soon("it has a key again", () => one.revision !== undefined && one.revision > revision!);
    expect([one.isLeader, signal.aborted]).toEqual([true, false]);
  });

  test("it takes the key of its home's dead leader when etcd is back after a power cut", async () => {
    const old = candidate("old", { node: "n" });
    await old.campaign();
    wait(LEASE_SECONDS - 0.5);
    expect(old.isLeader).toBe(false);
    etcd.away = true;
    const one = candidate("one", { ...often, node: "n", aloneAllowed: true });
    one.start();
    await soon("it leads", () => one.isLeader);
    const { signal } = one;
    etcd.away = false;
    await soon("it has the key", () => one.revision !== undefined);
    expect(signal.aborted).toBe(false);
  });

  test("it gives way when etcd is back and knows another leader", async () => {
    etcd.away = true;
    const one = candidate("one", { ...often, aloneAllowed: true });
    expect(await insist(one)).toBe(true);
    const { signal } = one;
    etcd.away = false;
    await candidate("two").campaign();
    await soon("it has lost", () => signal.aborted);
    expect(one.leader()?.name).not.toBe("one");
  });

  test("it has lost its term when it was frozen meanwhile: somebody may have had etcd then", async () => {
    const one = candidate("one", { aloneAllowed: true });
    await one.campaign();
    const { signal } = one;
    etcd.away = true;
    await one.resign();
    expect(signal.aborted).toBe(true);
    expect(await insist(one)).toBe(true);
    const alone = one.signal;
    wait(LEASE_SECONDS);
    expect([one.isLeader, alone.aborted]).toEqual([false, true]);
  });
});
