import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newRunId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import type { ContractOptions } from "./journal.contract.ts";
import { LEASE_SECONDS, type Claim, type Holder, type ImportableJournal, type NewRun } from "./journal.ts";

/** A fresh, empty store whose runs can be brought to another one. */
export interface ImportableStore {
  connect(holder: Holder): Promise<ImportableJournal>;
  destroy(): Promise<void>;
}

type Open = (options: ContractOptions) => Promise<ImportableStore>;

const HERE: Holder = { pid: 1, startTicks: "10", bootId: "boot" };
const THERE: Holder = { pid: 2, startTicks: "20", bootId: "boot" };

let now: number;
let dead: Set<number>;
let stores: ImportableStore[];
/** The store that a run begins in, and the one that it is brought to. */
let from: ImportableJournal;
let to: ImportableJournal;

const wait = (seconds: number): void => void (now += seconds * 1000);

async function begin(journal: ImportableJournal, more: Partial<NewRun> = {}): Promise<Claim> {
  now += 1;
  const id = newRunId(now);
  const run = { id, operation: "test.do", input: { of: id }, steps: ["a", "b"], locks: [], caller: "test", ...more };
  const admission = await journal.begin(run);
  if (admission.kind !== "claimed") throw new Error(`it was not claimed but ${admission.kind}`);
  return admission.claim;
}

const line = (journal: ImportableJournal, own: Claim, says: string, output: Json = null) =>
  journal.append(own, { step: "a", event: "done", says, output });

/** Brings a run as it is now. */
const bring = async ({ runId }: Claim) => to.import((await from.export(runId))!);

const said = async (journal: ImportableJournal, { runId }: Claim) =>
  (await journal.entries(runId)).map(({ seq, says }) => `${seq} ${says}`);

/** What every store holds to that brings runs to `to` and takes them from `from`. */
export function importContract(name: string, open: { from: Open; to: Open }): void {
  describe(`${name}: a run that is brought`, () => {
    beforeEach(async () => {
      now = Date.UTC(2026, 0, 1);
      dead = new Set();
      const options = { clock: { now: () => now }, isAlive: ({ pid }: Holder) => !dead.has(pid) };
      stores = [await open.from(options), await open.to(options)];
      [from, to] = [await stores[0]!.connect(HERE), await stores[1]!.connect(THERE)];
    });
    afterEach(async () => {
      for (const journal of [from, to]) await journal.close();
      for (const store of stores) await store.destroy();
    });

    describe("once or again", bringing);
    describe("when it went on elsewhere", fencing);
    describe("with its locks", locking);
  });
}

function bringing(): void {
  test("is there as it was, whatever was in it", async () => {
    const odd = { "a\0b": "\ud800", list: [1, 1.5e300, null, { deep: "größe" }] };
    const own = await begin(from, { title: 'Do "it"', input: odd, locks: ["cluster/b", "cluster/a"], caller: "ada" });
    await line(from, own, "first", odd);
    wait(3);
    await from.append(own, { step: "b", event: "done", barrier: true }, true);
    await from.progress(own, { done: 1, total: null, unit: "bytes" });
    expect(await bring(own)).toBe("written");
    expect(await to.export(own.runId)).toEqual(await from.export(own.runId));
    await from.finish(own, "completed", { result: odd });
    expect(await bring(own)).toBe("written");
    const record = (await to.export(own.runId))!;
    expect(record).toEqual(await from.export(own.runId));
    expect(record).toMatchObject({ run: { state: "completed", result: odd, title: 'Do "it"' }, locks: [] });
  });

  test("adds what is new, and nothing twice", async () => {
    const own = await begin(from);
    await line(from, own, "one");
    await bring(own);
    await line(from, own, "two");
    for (let times = 0; times < 3; times++) expect(await bring(own)).toBe("written");
    expect(await said(to, own)).toEqual(["1 one", "2 two"]);
    expect(await to.count()).toBe(1);
  });

  test("adds nothing twice when it comes many times at once", async () => {
    const own = await begin(from, { locks: ["cluster"] });
    await line(from, own, "one");
    expect(new Set(await Promise.all(Array.from({ length: 6 }, () => bring(own))))).toEqual(new Set(["written"]));
    expect(await said(to, own)).toEqual(["1 one"]);
  });

  test("stays over when an older record comes late", async () => {
    const own = await begin(from, { locks: ["cluster"] });
    const old = (await from.export(own.runId))!;
    await line(from, own, "one");
    await from.finish(own, "failed", { error: { code: "failed", message: "no" } });
    await bring(own);
    expect(await to.import(old)).toBe("written");
    expect(await to.get(own.runId)).toMatchObject({ state: "failed", error: { message: "no" } });
    expect(await said(to, own)).toEqual(["1 one"]);
    await begin(to, { locks: ["cluster"] });
  });

  test("keeps a wish to cancel that was heard here", async () => {
    const own = await begin(from);
    await bring(own);
    await to.requestCancel(own.runId);
    await bring(own);
    expect((await to.get(own.runId))!.cancelRequested).toBe(true);
  });

  test("is nothing when nobody began it", async () => {
    expect(await from.export(newRunId(now))).toBeUndefined();
    expect(await to.export(newRunId(now))).toBeUndefined();
  });
}

function fencing(): void {
  test("is stale once it was taken over here, and changes nothing", async () => {
    const own = await begin(from, { locks: ["cluster"] });
    await line(from, own, "one");
    await bring(own);
    dead.add(HERE.pid);
    const other = (await to.takeOver(own.runId))!;
    await line(to, other, "there");
    await line(from, own, "too late");
    const before = await to.export(own.runId);
    expect(await bring(own)).toBe("stale");
    await from.finish(own, "completed", {});
    expect(await bring(own)).toBe("stale");
    expect(await to.export(own.runId)).toEqual(before);
    expect(other.epoch).toBe(2);
  });

  test("is stale when both took it over at once", async () => {
    const own = await begin(from);
    await bring(own);
    wait(LEASE_SECONDS + 1);
    const [one, other] = [await from.takeOver(own.runId), await to.takeOver(own.runId)];
    expect([one!.epoch, other!.epoch]).toEqual([2, 2]);
    expect(await bring(own)).toBe("stale");
    await to.finish(other!, "completed", {});
    await from.finish(one!, "failed", {});
    expect(await bring(own)).toBe("stale");
    expect(await to.get(own.runId)).toMatchObject({ state: "completed" });
  });

  test("of a later epoch replaces a story that ended otherwise", async () => {
    const own = await begin(to);
    await line(to, own, "both");
    await from.import((await to.export(own.runId))!);
    await line(to, own, "nobody saw this");
    await line(to, own, "nor this");
    dead.add(THERE.pid);
    const other = (await from.takeOver(own.runId))!;
    await line(from, other, "went on");
    expect(await bring(own)).toBe("written");
    expect(await said(to, own)).toEqual(["1 both", "2 went on"]);
    await expect(line(to, own, "too late")).rejects.toMatchObject({ code: "lease_lost" });
  });

  test("goes on here where it was, with the next number", async () => {
    const own = await begin(from, { locks: ["cluster"] });
    await line(from, own, "one");
    await bring(own);
    expect(await to.takeOver(own.runId)).toBeUndefined();
    wait(LEASE_SECONDS + 1);
    expect((await to.interrupted()).map(({ id }) => id)).toEqual([own.runId]);
    const other = (await to.takeOver(own.runId))!;
    await line(to, other, "two");
    await to.finish(other, "completed", {});
    expect(await said(to, own)).toEqual(["1 one", "2 two"]);
  });

  test("that was given up can be taken over at once", async () => {
    const own = await begin(from);
    await from.release(own);
    await bring(own);
    expect(await to.takeOver(own.runId)).toEqual({ runId: own.runId, epoch: 2 });
  });
}

function locking(): void {
  test("holds off others here, until it is over", async () => {
    const own = await begin(from, { locks: ["cluster/a"] });
    await bring(own);
    const input = { n: 1 };
    const run = { id: newRunId(now), operation: "test.do", input, steps: [], locks: ["cluster"], caller: "test" };
    expect(await to.begin(run)).toMatchObject({ kind: "locked", run: { id: own.runId } });
    await from.finish(own, "cancelled", {});
    await bring(own);
    expect(await to.begin(run)).toMatchObject({ kind: "claimed" });
  });

  test("comes in beside a run that holds the same", async () => {
    const here = await begin(to, { locks: ["cluster"] });
    const own = await begin(from, { locks: ["cluster"] });
    expect(await bring(own)).toBe("written");
    await to.finish(here, "completed", {});
    await expect(begin(to, { locks: ["cluster"] })).rejects.toThrow("locked");
    await from.finish(own, "completed", {});
    await bring(own);
    await begin(to, { locks: ["cluster"] });
  });

  test("is known as the very same that is asked for", async () => {
    const own = await begin(from, { input: { b: 1, a: 2 } });
    await bring(own);
    const same = { operation: "test.do", input: { a: 2, b: 1 }, steps: [], locks: [], caller: "test" };
    expect(await to.begin({ id: newRunId(now), ...same })).toMatchObject({ kind: "same", run: { id: own.runId } });
  });
}
