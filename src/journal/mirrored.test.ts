import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sleep, systemClock, waitUntil } from "../core/clock.ts";
import { HomelabError } from "../core/errors.ts";
import { newRunId, type RunId } from "../core/ids.ts";
import { openFileJournal } from "./file.ts";
import { journalContract, type ContractOptions, type ContractStore } from "./journal.contract.ts";
import type { Claim, Holder, ImportableJournal, Journal, LocalJournal, NewRun } from "./journal.ts";
import { MirroredJournal, type MirroredOptions, type NewestCopies } from "./mirrored.ts";

/** Two processes of one home, or of a home each. */
const open =
  (homes: "one home" | "a home each") =>
  async (options: ContractOptions): Promise<ContractStore> => {
    const path = await mkdtemp(join(tmpdir(), "hl-mirror-"));
    return {
      connect: async (holder) => {
        const at = (name: string) => openFileJournal({ ...options, holder, path: join(path, `${name}.db`) });
        const local = at(homes === "one home" ? "local" : `local-${holder.pid}`);
        return new MirroredJournal({ local, shared: at("shared"), leadership: { isLeader: true } });
      },
      destroy: () => rm(path, { recursive: true }),
    };
  };

journalContract("the mirrored store, two processes of one home", open("one home"));
journalContract("the mirrored store, two homes", open("a home each"));

let folder: string;
let dead: Set<number>;
let opened: Journal[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hl-mirror-"));
  dead = new Set();
  opened = [];
});
afterEach(async () => {
  for (const journal of opened) await journal.close();
  await rm(folder, { recursive: true });
});

/** A store in a file of this name, as a process sees it. */
const at = (name: string, pid: number): LocalJournal =>
  openFileJournal({
    path: join(folder, `${name}.db`),
    clock: systemClock,
    holder: { pid, startTicks: "1", bootId: "boot" },
    isAlive: (holder: Holder) => !dead.has(holder.pid),
  });

/** The same, until the end of the test. */
function file(name: string, pid: number): LocalJournal {
  const journal = at(name, pid);
  opened.push(journal);
  return journal;
}

/** The shared store behind a wire that can be cut. */
class Wire {
  state: "up" | "cut" | "silent" = "up";
  calls = 0;
  /** What is thrown at those who bring this run. */
  poisoned: RunId | undefined;

  through(journal: ImportableJournal): ImportableJournal {
    return new Proxy(journal, {
      get:
        (target, name: keyof ImportableJournal) =>
        async (first: never, ...more: never[]) => {
          if (name === "close") return target.close();
          this.calls++;
          if (this.state === "silent") await new Promise(() => {});
          if (this.state === "cut") throw new HomelabError("platform_database_away", "cut");
          if (name === "import" && (first as { run: { id: RunId } }).run.id === this.poisoned)
            throw new Error("poison");
          return (target[name] as (...values: never[]) => unknown).call(target, first, ...more);
        },
    });
  }
}

let pids = 0;

/** A hub as a process of its own. */
function hub(home: string, more: Partial<MirroredOptions> = {}) {
  const pid = ++pids;
  const wire = new Wire();
  const leadership = { isLeader: true };
  const local = at(home, pid);
  const far = wire.through(at("shared", pid));
  const patience = { answer: 150, again: 20 };
  const journal = new MirroredJournal({ local, shared: far, leadership, patience, ...more });
  opened.push(journal);
  return { journal, local, wire, leadership, die: () => void dead.add(pid) };
}

let last = 0;

/** Ids sort by their milliseconds, so no two runs of a test share one. */
const newRun = (more: Partial<NewRun> = {}): NewRun => {
  last = Math.max(last + 1, Date.now());
  const id = newRunId(last);
  return { id, operation: "test.do", input: { of: id }, steps: ["a"], locks: [], caller: "test", ...more };
};

async function begin(journal: Journal, more: Partial<NewRun> = {}): Promise<Claim> {
  const admission = await journal.begin(newRun(more));
  if (admission.kind !== "claimed") throw new Error(`it was not claimed but ${admission.kind}`);
  return admission.claim;
}

const line = (journal: Journal, claim: Claim, says: string) =>
  journal.append(claim, { step: "a", event: "done", says });

/** Everything that the shared store has, as words. */
async function shared(): Promise<Record<RunId, string>> {
  const journal = file("shared", 0);
  const runs = await journal.list({ limit: 1000 });
  const words = async ({ id, state }: { id: RunId; state: string }) =>
    [id, [state, ...(await journal.entries(id)).map(({ seq, says }) => `${seq} ${says}`)].join(", ")] as const;
  return Object.fromEntries(await Promise.all(runs.map(words)));
}

const back = (one: ReturnType<typeof hub>) => {
  one.wire.state = "up";
  return waitUntil(async () => !one.journal.isAlone && (await one.local.unsynced()).length === 0, {
    timeout: 5,
    every: 5,
    what: "all was brought",
  });
};

describe("with the shared store away", () => {
  test("a run goes on in its home, and is whole in both once it is back", async () => {
    const one = hub("one");
    const own = await begin(one.journal);
    await line(one.journal, own, "before");
    one.wire.state = "cut";
    await line(one.journal, own, "meanwhile");
    expect(await shared()).toEqual({ [own.runId]: "running, 1 before" });
    await one.journal.finish(own, "completed", {});
    expect(await one.journal.get(own.runId)).toMatchObject({ state: "completed" });
    await back(one);
    expect(await shared()).toEqual({ [own.runId]: "completed, 1 before, 2 meanwhile" });
  });

  test("a run that is still under way is brought as it is, and goes on in both", async () => {
    const one = hub("one");
    one.wire.state = "cut";
    const own = await begin(one.journal, { locks: ["cluster"] });
    await line(one.journal, own, "meanwhile");
    one.wire.state = "up";
    await waitUntil(async () => own.runId in (await shared()), { timeout: 5, every: 5, what: "it was brought" });
    await line(one.journal, own, "after");
    expect(await shared()).toEqual({ [own.runId]: "running, 1 meanwhile, 2 after" });
    expect((await hub("other").journal.begin(newRun({ locks: ["cluster"] }))).kind).toBe("locked");
    await one.journal.finish(own, "completed", {});
    expect(await one.local.unsynced()).toEqual([]);
  });

  test("a store that says nothing costs its patience once, and is asked in the background alone", async () => {
    const one = hub("one");
    const own = await begin(one.journal);
    one.wire.state = "silent";
    const begun = performance.now();
    for (let n = 0; n < 50; n++) await line(one.journal, own, String(n));
    expect(await one.journal.list()).toHaveLength(1);
    expect((await one.journal.get(own.runId))!.state).toBe("running");
    expect(performance.now() - begun).toBeLessThan(2000);
    const { calls } = one.wire;
    await sleep(300);
    expect(one.wire.calls - calls).toBeLessThan(8);
    await one.journal.finish(own, "completed", {});
    await back(one);
    expect((await shared())[own.runId]).toBe(
      ["completed", ...Array.from({ length: 50 }, (_, n) => `${n + 1} ${n}`)].join(", "),
    );
  });

  test("what a process left behind that died meanwhile is brought by the next one", async () => {
    const one = hub("one");
    one.wire.state = "cut";
    const done = await begin(one.journal);
    await line(one.journal, done, "alone");
    await one.journal.finish(done, "failed", {});
    const half = await begin(one.journal);
    one.die();
    const next = hub("one");
    expect(await next.journal.sync()).toBe(1);
    expect(await shared()).toEqual({ [done.runId]: "failed, 1 alone", [half.runId]: "running" });
    expect(await next.journal.sync()).toBe(0);
    // Another home may go on with what was left half done.
    next.die();
    const other = hub("other");
    expect((await other.journal.interrupted()).map(({ id }) => id)).toEqual([half.runId]);
    expect(await other.journal.takeOver(half.runId)).toEqual({ runId: half.runId, epoch: 2 });
  });

  test("lists and counts are those of the home, and afterwards those of all with what is only here", async () => {
    const [one, other] = [hub("one"), hub("other")];
    const there = await begin(other.journal);
    await other.journal.finish(there, "completed", {});
    const both = await begin(one.journal);
    one.wire.state = "cut";
    const here = await begin(one.journal);
    await one.journal.finish(both, "failed", {});
    const view = async () => [
      (await one.journal.list()).map(({ id }) => id),
      (await one.journal.list({ state: "running" })).map(({ id }) => id),
      await one.journal.count(),
      await one.journal.count({ state: "running" }),
    ];
    expect(await view()).toEqual([[here.runId, both.runId], [here.runId], 2, 1]);
    await back(one).catch(() => {});
    const all = [here.runId, both.runId, there.runId];
    expect(await view()).toEqual([all, [here.runId], 3, 1]);
  });

  test("a run that this home knows to be over is so in lists at once, before it was brought", async () => {
    const one = hub("one");
    const own = await begin(one.journal);
    one.wire.poisoned = own.runId;
    await one.journal.finish(own, "completed", {});
    expect(await shared()).toEqual({ [own.runId]: "running" });
    expect(await one.journal.list({ state: "running" })).toEqual([]);
    expect(await one.journal.list({ state: "completed" })).toHaveLength(1);
    expect([await one.journal.count({ state: "running" }), await one.journal.count()]).toEqual([0, 1]);
    expect(await one.journal.get(own.runId)).toMatchObject({ state: "completed" });
    expect(await one.journal.interrupted()).toEqual([]);
  });
});

describe("bringing", () => {
  test("takes along what commands did without a hub, but nothing that one is at", async () => {
    const [one, command] = [hub("one"), file("one", 900)];
    const done = await begin(command);
    await line(command, done, "by hand");
    await command.finish(done, "completed", {});
    const busy = await begin(command);
    expect(await one.journal.sync()).toBe(1);
    expect(await shared()).toEqual({ [done.runId]: "completed, 1 by hand" });
    expect((await one.journal.list()).map(({ id }) => id)).toEqual([busy.runId, done.runId]);
    expect(await one.journal.takeOver(busy.runId)).toBeUndefined();
    dead.add(900);
    expect(await one.journal.takeOver(busy.runId)).toEqual({ runId: busy.runId, epoch: 2 });
    expect((await shared())[busy.runId]).toBe("running");
  });

  test("by two at once brings nothing twice", async () => {
    const command = file("one", 900);
    for (let n = 0; n < 10; n++) {
      const own = await begin(command);
      await line(command, own, "one");
      await line(command, own, "two");
      await command.finish(own, "completed", {});
    }
    const hubs = Array.from({ length: 4 }, () => hub("one"));
    await Promise.all(hubs.map(({ journal }) => journal.sync()));
    const all = Object.values(await shared());
    expect(all).toEqual(Array.from({ length: 10 }, () => "completed, 1 one, 2 two"));
  });

  test("goes on behind a run that the shared store refuses, and says so", async () => {
    const said: unknown[] = [];
    const one = hub("one", { onTrouble: (error) => said.push(error) });
    const command = file("one", 900);
    const ids: RunId[] = [];
    for (let n = 0; n < 3; n++) {
      const own = await begin(command);
      await command.finish(own, "completed", {});
      ids.push(own.runId);
    }
    one.wire.poisoned = ids[1];
    expect(await one.journal.sync()).toBe(2);
    expect(said).toMatchObject([{ message: "poison" }]);
    expect(await one.local.unsynced()).toEqual([ids[1]]);
    expect(one.journal.isAlone).toBe(false);
  });

  test("fills a shared store that was lost, or is an older one", async () => {
    const one = hub("one");
    for (let n = 0; n < 12; n++) {
      const own = await begin(one.journal);
      await line(one.journal, own, String(n));
      await one.journal.finish(own, "completed", {});
    }
    const before = await shared();
    const gone = Object.keys(before).slice(0, 9) as RunId[];
    const store = file("shared", 0);
    for (const runId of gone) await store.forget({ runId, epoch: 9 });
    expect(await hub("one").journal.sync()).toBe(9);
    expect(await shared()).toEqual(before);
  });
});

describe("a run that went on elsewhere", () => {
  test("is lost to the first process at its next line, and its home gives it up", async () => {
    const [one, other] = [hub("one"), hub("other")];
    const old = await begin(one.journal, { locks: ["cluster"] });
    await line(one.journal, old, "by one");
    one.die();
    const own = (await other.journal.takeOver(old.runId))!;
    await line(other.journal, own, "by the other");
    await expect(line(one.journal, old, "too late")).rejects.toMatchObject({ code: "lease_lost" });
    expect(await one.local.list()).toEqual([]);
    await expect(line(one.journal, old, "again")).rejects.toMatchObject({ code: "lease_lost" });
    await other.journal.finish(own, "completed", {});
    expect(await shared()).toEqual({ [old.runId]: "completed, 1 by one, 2 by the other" });
    expect(await one.journal.get(old.runId)).toMatchObject({ state: "completed" });
    await begin(one.journal, { locks: ["cluster"] });
  });

  test("while its home was cut off leaves nothing of that home's own lines", async () => {
    const [one, other] = [hub("one"), hub("other")];
    const old = await begin(one.journal);
    one.wire.state = "cut";
    await line(one.journal, old, "cut off");
    one.die();
    const own = (await other.journal.takeOver(old.runId))!;
    await line(other.journal, own, "went on");
    await other.journal.finish(own, "completed", {});
    await back(one);
    await expect(line(one.journal, old, "too late")).rejects.toMatchObject({ code: "lease_lost" });
    expect(await shared()).toEqual({ [old.runId]: "completed, 1 went on" });
    expect(await one.local.get(old.runId)).toMatchObject({ state: "completed" });
  });

  test("does not stand in the way of others here", async () => {
    const [one, other] = [hub("one"), hub("other")];
    const old = await begin(one.journal, { locks: ["cluster"] });
    one.die();
    const own = (await other.journal.takeOver(old.runId))!;
    const next = hub("one");
    expect((await next.journal.begin(newRun({ locks: ["cluster"] }))).kind).toBe("locked");
    await other.journal.finish(own, "completed", {});
    await begin(next.journal, { locks: ["cluster"] });
  });

  test("comes back with all that was done elsewhere", async () => {
    const [one, other] = [hub("one"), hub("other")];
    const { runId } = await begin(one.journal);
    one.die();
    const own = (await other.journal.takeOver(runId))!;
    await line(other.journal, own, "elsewhere");
    other.die();
    const next = hub("one");
    expect(await next.journal.takeOver(runId)).toEqual({ runId, epoch: 3 });
    next.wire.state = "cut";
    expect((await next.journal.entries(runId)).map(({ says }) => says)).toEqual(["elsewhere"]);
  });

  test("is not gone on with from an old copy while the shared store is away", async () => {
    const notes = new Map<RunId, string>();
    const copies = (home: string): { copies: NewestCopies } => ({
      copies: {
        note: async (id) => void notes.set(id, home),
        isHere: async (id) => [undefined, home].includes(notes.get(id)),
        forget: async (id) => void notes.delete(id),
      },
    });
    const [one, other] = [hub("one", copies("one")), hub("other", copies("other"))];
    const { runId } = await begin(one.journal);
    one.die();
    const own = (await other.journal.takeOver(runId))!;
    await other.journal.append(own, { step: "a", event: "done", barrier: true }, true);
    other.die();
    const next = hub("one", copies("one"));
    next.wire.state = "cut";
    expect(await next.journal.takeOver(runId)).toBeUndefined();
    await waitUntil(async () => next.journal.isAlone, { timeout: 5, every: 5, what: "it is away" });
    next.wire.state = "up";
    await waitUntil(async () => !next.journal.isAlone, { timeout: 5, every: 5, what: "it is back" });
    const again = (await next.journal.takeOver(runId))!;
    expect((await next.journal.entries(runId)).map(({ barrier }) => barrier)).toEqual([true]);
    await next.journal.finish(again, "completed", {});
    expect(notes.size).toBe(0);
  });
});

describe("a process that does not lead", () => {
  test("begins nothing, takes nothing over and goes on with nothing; it may give up what it had", async () => {
    const one = hub("one");
    const own = await begin(one.journal);
    one.leadership.isLeader = false;
    await expect(one.journal.begin(newRun())).rejects.toMatchObject({ code: "no_leader" });
    for (const act of [
      () => line(one.journal, own, "no"),
      () => one.journal.renew(own),
      () => one.journal.progress(own, null),
      () => one.journal.finish(own, "completed", {}),
    ])
      await expect(act()).rejects.toMatchObject({ code: "lease_lost" });
    expect(await shared()).toEqual({ [own.runId]: "running" });
    await one.journal.release(own);
    expect(await one.journal.takeOver(own.runId)).toBeUndefined();
    expect(await hub("other").journal.takeOver(own.runId)).toEqual({ runId: own.runId, epoch: 2 });
  });

  test("reads everything, and asks others to stop", async () => {
    const [one, other] = [hub("one"), hub("other")];
    other.leadership.isLeader = false;
    const own = await begin(one.journal);
    await line(one.journal, own, "one");
    expect(await other.journal.entries(own.runId)).toHaveLength(1);
    expect(await other.journal.requestCancel(own.runId)).toBe(true);
    expect((await one.journal.get(own.runId))!.cancelRequested).toBe(true);
  });
});
