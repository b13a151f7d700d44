import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Clock } from "../core/clock.ts";
import { newRunId, type RunId } from "../core/ids.ts";
import { LEASE_SECONDS, type Claim, type Holder, type Journal, type NewRun } from "./journal.ts";

/** What a store is opened with. */
export interface ContractOptions {
  clock: Clock;
  isAlive(holder: Holder): boolean;
}

/** A fresh, empty store that several processes can open. */
export interface ContractStore {
  /** Opens it as this process would. */
  connect(holder: Holder): Promise<Journal>;
  destroy(): Promise<void>;
}

const process = (pid: number): Holder => ({ pid, startTicks: String(pid * 10), bootId: "boot" });
const FIRST = process(1);
const SECOND = process(2);

let store: ContractStore;
let now: number;
let dead: Set<number>;
/** The store as two processes see it. */
let first: Journal;
let second: Journal;

const wait = (seconds: number): void => void (now += seconds * 1000);
const die = (holder: Holder): void => void dead.add(holder.pid);

function newRun(more: Partial<NewRun> = {}): NewRun {
  now += 1;
  const id = newRunId(now);
  return { id, operation: "test.do", input: { of: id }, steps: ["a", "b"], locks: [], caller: "test", ...more };
}

async function claim(journal: Journal, more: Partial<NewRun> = {}): Promise<Claim> {
  const admission = await journal.begin(newRun(more));
  if (admission.kind !== "claimed") throw new Error(`it was not claimed but ${admission.kind}`);
  return admission.claim;
}

const isLost = { code: "lease_lost" };

/** One suite that every store passes. */
export function journalContract(name: string, open: (options: ContractOptions) => Promise<ContractStore>): void {
  describe(`${name} as a journal`, () => {
    beforeEach(async () => {
      now = Date.UTC(2026, 0, 1);
      dead = new Set();
      store = await open({ clock: { now: () => now }, isAlive: ({ pid }) => !dead.has(pid) });
      first = await store.connect(FIRST);
      second = await store.connect(SECOND);
    });
    afterEach(async () => {
      await first.close();
      await second.close();
      await store.destroy();
    });

    describe("begin", begins);
    describe("locks", locks);
    describe("a takeover", takeovers);
    describe("a claim that was taken over", fencing);
    describe("the entries", entries);
    describe("the list", lists);
    describe("the end", ends);
    describe("a crash", crashes);
  });
}

function begins(): void {
  test("writes the run down, as everybody sees it", async () => {
    const run = newRun({ input: { name: "shop", list: [1, null] }, locks: ["cluster/database/shop"] });
    expect(await first.begin(run)).toEqual({ kind: "claimed", claim: { runId: run.id, epoch: 1 } });
    expect(await second.get(run.id)).toEqual({
      id: run.id,
      operation: "test.do",
      input: { name: "shop", list: [1, null] },
      state: "running",
      steps: ["a", "b"],
      currentStep: null,
      progress: null,
      caller: "test",
      createdAt: new Date(now).toISOString(),
      finishedAt: null,
      result: null,
      error: null,
      cancelRequested: false,
    });
  });

  test("keeps what a person would call the run", async () => {
    const { runId } = await claim(first, { title: "Create database shop" });
    expect(await second.get(runId)).toMatchObject({ operation: "test.do", title: "Create database shop" });
  });

  test("answers the run that does the very same already, whatever the order of its input's keys", async () => {
    const { runId } = await claim(first, { input: { a: 1, b: { c: 2, d: 3 } } });
    const admission = await second.begin(newRun({ input: { b: { d: 3, c: 2 }, a: 1 } }));
    expect(admission).toMatchObject({ kind: "same", run: { id: runId } });
    expect(await first.list()).toHaveLength(1);
  });

  test("takes another input, another operation, or the same again once it is over, for another run", async () => {
    const done = await claim(first, { input: { n: 1 } });
    await claim(first, { input: { n: 2 } });
    await claim(first, { input: { n: 1 }, operation: "test.other" });
    await first.finish(done, "completed", {});
    await claim(first, { input: { n: 1 } });
    expect(await first.list()).toHaveLength(4);
  });

  test("leaves nothing of a run that was not let in", async () => {
    await claim(first, { locks: ["a"] });
    const refused = newRun({ locks: ["b", "a"] });
    expect((await second.begin(refused)).kind).toBe("locked");
    expect(await second.get(refused.id)).toBeUndefined();
    await claim(second, { locks: ["b"] });
  });

  test("knows no run that was never begun", async () => {
    expect(await first.get(newRunId(now))).toBeUndefined();
    expect(await first.entries(newRunId(now))).toEqual([]);
    expect(await first.takeOver(newRunId(now))).toBeUndefined();
  });
}

function locks(): void {
  test.each([
    ["the same", "cluster/database/shop", "cluster/database/shop"],
    ["what is above", "cluster/database/shop", "cluster/database"],
    ["what is far above", "cluster/database/shop", "cluster"],
    ["what is below", "cluster/database", "cluster/database/shop"],
    ["what is far below", "cluster", "cluster/database/shop"],
  ])("hold off %s", async (_name, held, wanted) => {
    const { runId } = await claim(first, { locks: [held] });
    expect(await second.begin(newRun({ locks: [wanted] }))).toMatchObject({
      kind: "locked",
      lock: wanted,
      run: { id: runId },
    });
  });

  test.each([
    ["a sibling", "cluster/database/shop", "cluster/database/blog"],
    ["a sibling whose name begins alike", "cluster/database/shop", "cluster/database/shop2"],
    ["a sibling with a sign of a pattern", "cluster/database/a_b", "cluster/database/axb"],
    ["a sibling with another one", "cluster/database/%", "cluster/database/shop"],
    ["a sibling in capitals", "cluster/database/SHOP", "cluster/database/shop"],
    ["a cousin", "cluster/database/shop", "cluster/service/shop"],
  ])("let %s through", async (_name, held, wanted) => {
    await claim(first, { locks: [held] });
    await claim(second, { locks: [wanted] });
    await expect(first.list({ state: "running" })).resolves.toHaveLength(2);
  });

  test("are told by the one that is taken", async () => {
    await claim(first, { locks: ["c/x", "c/y"] });
    expect(await second.begin(newRun({ locks: ["c/w", "c/y/1"] }))).toMatchObject({ kind: "locked", lock: "c/y/1" });
  });

  test("of many at once go to one alone", async () => {
    const asked = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? first : second).begin(newRun({ locks: ["cluster"] }))),
    );
    expect(asked.filter(({ kind }) => kind === "claimed")).toHaveLength(1);
    expect(asked.filter(({ kind }) => kind === "locked")).toHaveLength(19);
  });
}

function takeovers(): void {
  test("is refused while the holder lives and renews", async () => {
    const { runId } = await claim(first);
    expect(await second.takeOver(runId)).toBeUndefined();
    wait(LEASE_SECONDS - 1);
    expect(await second.takeOver(runId)).toBeUndefined();
  });

  test("is let through at once when the holder is dead", async () => {
    const { runId } = await claim(first);
    die(FIRST);
    expect(await second.takeOver(runId)).toEqual({ runId, epoch: 2 });
  });

  test("is let through when the lease has expired, even of one that seems to live", async () => {
    const { runId } = await claim(first);
    wait(LEASE_SECONDS + 1);
    expect(await second.takeOver(runId)).toEqual({ runId, epoch: 2 });
  });

  test("is let through at once when the holder gave the run up", async () => {
    const own = await claim(first);
    await first.release(own);
    expect(await second.takeOver(own.runId)).toEqual({ runId: own.runId, epoch: 2 });
  });

  test.each<[string, (own: Claim) => Promise<void>]>([
    ["renewing", (own) => first.renew(own)],
    ["an entry", (own) => first.append(own, { step: "a", event: "started" })],
    ["progress", (own) => first.progress(own, { done: 1, total: 2, unit: "rows" })],
  ])("waits longer after %s", async (_name, act) => {
    const own = await claim(first);
    wait(LEASE_SECONDS - 1);
    await act(own);
    wait(LEASE_SECONDS - 1);
    expect(await second.takeOver(own.runId)).toBeUndefined();
    wait(2);
    expect(await second.takeOver(own.runId)).toBeDefined();
  });

  test("of a dead holder's run by many at once goes to one alone", async () => {
    const { runId } = await claim(first);
    die(FIRST);
    const third = await store.connect(process(3));
    const taken = await Promise.all([second, third, second, third].map((journal) => journal.takeOver(runId)));
    await third.close();
    expect(taken.filter((claimed) => claimed !== undefined)).toHaveLength(1);
  });

  test("keeps the locks", async () => {
    const { runId } = await claim(first, { locks: ["cluster"] });
    die(FIRST);
    await second.takeOver(runId);
    expect((await second.begin(newRun({ locks: ["cluster"] }))).kind).toBe("locked");
  });

  test("is refused of a run that is over", async () => {
    const own = await claim(first);
    await first.finish(own, "completed", {});
    die(FIRST);
    expect(await second.takeOver(own.runId)).toBeUndefined();
  });
}

function fencing(): void {
  test.each<[string, (old: Claim) => Promise<unknown>]>([
    ["renew", (old) => first.renew(old)],
    ["append", (old) => first.append(old, { step: "b", event: "done" })],
    ["append for good", (old) => first.append(old, { step: "b", event: "done", barrier: true }, true)],
    ["progress", (old) => first.progress(old, { done: 9, total: null, unit: "bytes" })],
    ["finish", (old) => first.finish(old, "failed", { error: { code: "failed", message: "no" } })],
    ["release", (old) => first.release(old)],
  ])("can do no more: %s", async (_name, act) => {
    const old = await claim(first, { locks: ["cluster"] });
    die(FIRST);
    const own = (await second.takeOver(old.runId))!;
    await second.append(own, { step: "a", event: "started" });
    const before = [await second.get(own.runId), await second.entries(own.runId)];
    await expect(act(old)).rejects.toMatchObject(isLost);
    expect([await second.get(own.runId), await second.entries(own.runId)]).toEqual(before);
    expect((await first.begin(newRun({ locks: ["cluster"] }))).kind).toBe("locked");
    await second.renew(own);
  });

  test("of a run that is over can do no more either", async () => {
    const own = await claim(first);
    await first.finish(own, "completed", { result: 1 });
    await expect(first.append(own, { step: "a", event: "done" })).rejects.toMatchObject(isLost);
    await expect(first.finish(own, "failed", {})).rejects.toMatchObject(isLost);
    expect(await first.get(own.runId)).toMatchObject({ state: "completed", result: 1 });
  });
}

function entries(): void {
  test("are in order, with all that was said", async () => {
    const own = await claim(first);
    await first.append(own, { step: "a", event: "started" });
    wait(2);
    await first.append(own, { step: "a", event: "done", says: "made\nit", output: { rows: [1] } });
    await first.append(own, { step: "b", event: "done", barrier: true }, true);
    const empty = { barrier: false, output: null, says: null };
    expect(await second.entries(own.runId)).toEqual([
      { ...empty, seq: 1, at: new Date(now - 2000).toISOString(), step: "a", event: "started" },
      {
        ...empty,
        seq: 2,
        at: new Date(now).toISOString(),
        step: "a",
        event: "done",
        says: "made\nit",
        output: { rows: [1] },
      },
      { ...empty, seq: 3, at: new Date(now).toISOString(), step: "b", event: "done", barrier: true },
    ]);
    expect((await second.entries(own.runId, 2)).map(({ seq }) => seq)).toEqual([3]);
  });

  test("of each run count for themselves, and go on after a takeover", async () => {
    const [one, other] = [await claim(first), await claim(first)];
    for (const own of [one, other]) await first.append(own, { step: "a", event: "started" });
    die(FIRST);
    await second.append((await second.takeOver(one.runId))!, { step: "a", event: "done" });
    expect((await second.entries(one.runId)).map(({ seq, event }) => [seq, event])).toEqual([
      [1, "started"],
      [2, "done"],
    ]);
    expect(await second.entries(other.runId)).toHaveLength(1);
  });

  test("say which step is under way, and progress how far it is until the next one", async () => {
    const own = await claim(first);
    await first.append(own, { step: "a", event: "started" });
    await first.progress(own, { done: 5, total: 10, unit: "bytes" });
    expect(await second.get(own.runId)).toMatchObject({
      currentStep: "a",
      progress: { done: 5, total: 10, unit: "bytes" },
    });
    await first.append(own, { step: "b", event: "started" });
    expect(await second.get(own.runId)).toMatchObject({ currentStep: "b", progress: null });
  });
}

function lists(): void {
  const fill = async (): Promise<RunId[]> => {
    const ids: RunId[] = [];
    for (let n = 0; n < 6; n++) {
      const own = await claim(first, { operation: n % 2 ? "test.odd" : "test.even" });
      if (n < 4) await first.finish(own, n < 2 ? "completed" : "failed", {});
      ids.push(own.runId);
    }
    return ids;
  };

  test("has the newest first", async () => {
    const ids = await fill();
    expect((await second.list()).map(({ id }) => id)).toEqual(ids.toReversed());
  });

  test("can be asked for a state, an operation, or both", async () => {
    const ids = await fill();
    const found = async (filter: Parameters<Journal["list"]>[0]) =>
      (await second.list(filter)).map(({ id }) => ids.indexOf(id));
    expect(await found({ state: "running" })).toEqual([5, 4]);
    expect(await found({ state: "completed" })).toEqual([1, 0]);
    expect(await found({ operation: "test.odd" })).toEqual([5, 3, 1]);
    expect(await found({ operation: "test.odd", state: "failed" })).toEqual([3]);
    expect(await found({ state: "refused" })).toEqual([]);
  });

  test("counts what it would have", async () => {
    await fill();
    expect(await second.count()).toBe(6);
    expect(await second.count({ state: "running" })).toBe(2);
    expect(await second.count({ operation: "test.odd" })).toBe(3);
    expect(await second.count({ operation: "test.odd", state: "failed" })).toBe(1);
    expect(await second.count({ state: "refused" })).toBe(0);
  });

  test("comes in pages, each beginning where the one before ended", async () => {
    const ids = await fill();
    const seen: RunId[] = [];
    for (let before: RunId | undefined; ; before = seen.at(-1)) {
      const page = await second.list({ limit: 4, before });
      seen.push(...page.map(({ id }) => id));
      if (page.length < 4) break;
    }
    expect(seen).toEqual(ids.toReversed());
  });

  test("of what was interrupted has the runs whose holder is gone, the oldest first", async () => {
    const [one, two] = [await claim(first), await claim(first)];
    const alive = await claim(second);
    const over = await claim(first);
    await first.finish(over, "completed", {});
    expect(await second.interrupted()).toEqual([]);
    die(FIRST);
    expect((await second.interrupted()).map(({ id }) => id)).toEqual([one.runId, two.runId]);
    wait(LEASE_SECONDS + 1);
    expect((await second.interrupted()).map(({ id }) => id)).toEqual([one.runId, two.runId, alive.runId]);
  });
}

function ends(): void {
  test.each(["completed", "failed", "refused", "cancelled"] as const)(
    "as %s is kept, with all that belongs to it",
    async (state) => {
      const own = await claim(first);
      await first.append(own, { step: "a", event: "started" });
      wait(5);
      const error = { code: "step_failed" as const, message: "no", hint: "Try again." };
      await first.finish(own, state, state === "completed" ? { result: { url: "x" } } : { error });
      expect(await second.get(own.runId)).toMatchObject({
        state,
        finishedAt: new Date(now).toISOString(),
        currentStep: null,
        progress: null,
        result: state === "completed" ? { url: "x" } : null,
        error: state === "completed" ? null : error,
      });
    },
  );

  test("gives the locks back", async () => {
    const own = await claim(first, { locks: ["cluster/a", "cluster/b"] });
    await first.finish(own, "failed", {});
    await claim(second, { locks: ["cluster"] });
  });

  test("can be asked for as long as the run goes on, and asking once more changes nothing", async () => {
    const own = await claim(first);
    expect([await second.requestCancel(own.runId), await second.requestCancel(own.runId)]).toEqual([true, true]);
    expect((await first.get(own.runId))!.cancelRequested).toBe(true);
    await first.append(own, { step: "a", event: "started" });
    await first.finish(own, "cancelled", {});
    expect(await second.requestCancel(own.runId)).toBe(false);
    expect(await second.requestCancel(newRunId(now))).toBe(false);
  });
}

function crashes(): void {
  test("leaves the run and its locks, and the next process goes on where it was", async () => {
    const old = await claim(first, { locks: ["cluster"], input: { n: 1 } });
    await first.append(old, { step: "a", event: "done", output: "kept" });
    await first.close();
    die(FIRST);
    first = await store.connect(process(3));
    expect(await first.begin(newRun({ input: { n: 2 }, locks: ["cluster"] }))).toMatchObject({
      kind: "locked",
      run: { id: old.runId, state: "running" },
    });
    expect(await first.begin(newRun({ input: { n: 1 }, locks: ["cluster"] }))).toMatchObject({ kind: "same" });
    const own = (await first.takeOver(old.runId))!;
    expect(await first.entries(own.runId)).toMatchObject([{ step: "a", event: "done", output: "kept" }]);
    await first.finish(own, "completed", {});
    await claim(second, { input: { n: 2 }, locks: ["cluster"] });
  });
}
