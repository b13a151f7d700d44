import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RunBench, shortEntries, testOperation, World } from "../../tests/harness/runs.ts";
import { sleep, waitUntil } from "../core/clock.ts";
import { HomelabError } from "../core/errors.ts";
import type { AnyOperation } from "./operation.ts";
import { Detach } from "./runner.ts";

let bench: RunBench;
let world: World;
beforeEach(async () => {
  bench = await RunBench.open();
  world = new World();
});
afterEach(() => bench.destroy());

const CALLER = { caller: "test" };
const start = (operation: AnyOperation, input: object = {}) =>
  bench.process([operation]).runner.start(operation.name, input, CALLER);

/** A step that waits until the test lets it go on. */
function gate(name: string) {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  const step = world.step(name, {
    run: async () => {
      world.done.push(`${name} waits`);
      await opened;
      world.facts.add(name);
      return { says: "let through" };
    },
  });
  const reached = () => waitUntil(async () => world.done.includes(`${name} waits`), { timeout: 10, what: name });
  return { step, open, reached };
}

describe("what is asked for", () => {
  test("is refused when there is no such operation", async () => {
    const { runner, journal } = bench.process([]);
    await expect(runner.start("test.none", {}, CALLER)).rejects.toMatchObject({ code: "not_found" });
    expect(await journal.list()).toEqual([]);
  });

  test("is refused with the field when the input does not hold, and nothing is begun", async () => {
    const { runner, journal } = bench.process([testOperation([world.step("a")])]);
    await expect(runner.start("test.do", { name: 5 }, CALLER)).rejects.toMatchObject({
      code: "input_invalid",
      errors: [{ field: "name", message: "expected string, received number" }],
    });
    await expect(runner.start("test.do", { nmae: "x" }, CALLER)).rejects.toMatchObject({ code: "input_invalid" });
    expect([await journal.list(), world.done]).toEqual([[], []]);
  });

  test("is refused by a guard before the first change: with its own error, and nothing but that in the journal", async () => {
    const guard = async () =>
      Promise.reject(new HomelabError("database_exists", "it exists", { hint: "Choose another." }));
    const { runner, journal } = bench.process([testOperation([world.step("a")], { guards: [async () => {}, guard] })]);
    await expect(runner.start("test.do", {}, CALLER)).rejects.toMatchObject({
      code: "database_exists",
      message: "it exists",
      hint: "Choose another.",
    });
    const [run] = await journal.list();
    expect(run).toMatchObject({ state: "refused", error: { code: "database_exists" } });
    expect([await journal.entries(run!.id), world.done]).toEqual([[], []]);
    expect((await journal.begin({ ...run!, id: "op_X", input: { other: 1 }, locks: ["test"] })).kind).toBe("claimed");
  });

  test("keeps who asked, and answers what the operation answers", async () => {
    const finished = await start(
      testOperation([world.step("a")], { result: async ({ input }) => ({ of: input.name ?? null }) }),
      { name: "x" },
    );
    expect(finished).toMatchObject({
      result: { of: "x" },
      run: { caller: "test", state: "completed", input: { name: "x" } },
    });
  });
});

describe("the same asked for twice", () => {
  test("by fifty at once has one effect, and one answer for all", async () => {
    const slow = world.step("a", {
      run: async () => (await sleep(30), world.done.push("a"), world.facts.add("a"), { says: "a" }),
    });
    const operation = testOperation([slow]);
    const processes = Array.from({ length: 10 }, () => bench.process([operation]));
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, i) => processes[i % 10]!.runner.start("test.do", { name: "shop" }, CALLER)),
    );
    expect(world.done).toEqual(["a"]);
    expect(new Set(all.map(({ run }) => run.id)).size).toBe(1);
    expect(new Set(all.map(({ result }) => result))).toEqual(new Set(["all done"]));
  });

  test("fails for both when it fails", async () => {
    const { step, open, reached } = gate("a");
    const fails = world.step("b", { run: async () => Promise.reject(new HomelabError("step_failed", "no luck")) });
    const operation = testOperation([step, fails]);
    const both = [start(operation), reached().then(() => start(operation))].map((started) =>
      started.catch((error: unknown) => error),
    );
    await reached();
    await sleep(60);
    open();
    for (const error of await Promise.all(both))
      expect(error).toMatchObject({ code: "step_failed", message: "no luck" });
  });

  test("is gone on with by the second when the first dies", async () => {
    const { step, open, reached } = gate("a");
    const first = bench.process([testOperation([step])], { onCrashPoint: () => new Promise(() => {}) });
    first.runner.start("test.do", {}, CALLER).catch(() => {});
    await waitUntil(async () => (await first.journal.list())[0]?.currentStep === "a", {
      timeout: 10,
      what: "it began",
    });
    const second = start(testOperation([step]));
    await sleep(60);
    first.die();
    await reached();
    open();
    await expect(second).resolves.toMatchObject({ result: "all done" });
  });
});

describe("a lock", () => {
  const other = (steps: Parameters<typeof testOperation>[0] = []) => testOperation(steps, { name: "test.other" });

  test("makes the next one wait until it is free", async () => {
    const { step, open, reached } = gate("a");
    const first = start(testOperation([step]));
    await reached();
    const second = start(other([world.step("b")]));
    await sleep(150);
    expect(world.facts.has("b")).toBe(false);
    open();
    await Promise.all([first, second]);
    expect([...world.facts]).toEqual(["a", "b"]);
  });

  test("that stays taken ends in busy, with who has it and how to follow that", async () => {
    const { step, open, reached } = gate("a");
    const first = start(testOperation([step]));
    await reached();
    const { runner, journal } = bench.process([other()]);
    const holder = (await journal.list())[0]!.id;
    await expect(runner.start("test.other", {}, { caller: "test", waitForLock: 0.1 })).rejects.toMatchObject({
      code: "busy",
      message: `test.do (${holder}) is at test`,
      hint: `homelab op watch ${holder} follows it.`,
    });
    expect(await journal.list()).toHaveLength(1);
    open();
    await first;
  });

  test("of a run whose process died is freed by finishing that run first", async () => {
    const dead = testOperation([world.step("a"), world.step("b")]);
    await bench.dieAt(dead, { step: "b", moment: "before-effect" });
    await bench.process([dead, other([world.step("c")])]).runner.start("test.other", {}, CALLER);
    expect(world.done).toEqual(["a", "b", "c"]);
  });

  test("of a dead run that fails is freed as well, and the failure is not the next one's", async () => {
    const dead = testOperation([
      world.step("a"),
      world.step("b", { run: async () => Promise.reject(new Error("no luck")) }),
    ]);
    await bench.dieAt(dead, { step: "b", moment: "before-effect" });
    const { runner, journal } = bench.process([dead, other([world.step("c")])]);
    await expect(runner.start("test.other", {}, CALLER)).resolves.toMatchObject({ result: "all done" });
    expect((await journal.list()).map(({ operation, state }) => [operation, state])).toEqual([
      ["test.other", "completed"],
      ["test.do", "failed"],
    ]);
    expect(world.done).toEqual(["a", "undo b", "undo a", "c"]);
  });
});

describe("cancelling", () => {
  test("stops a run at its next step, and takes back what it did", async () => {
    const { step, open, reached } = gate("a");
    const { runner, journal } = bench.process([testOperation([step, world.step("b")])]);
    const started = runner.start("test.do", {}, CALLER);
    await reached();
    const { id } = (await journal.list())[0]!;
    expect(await journal.requestCancel(id)).toBe(true);
    open();
    await expect(started).rejects.toMatchObject({ code: "cancelled" });
    expect(await journal.get(id)).toMatchObject({ state: "cancelled", error: { code: "cancelled" } });
    expect([[...world.facts], world.done]).toEqual([[], ["a waits", "undo a"]]);
  });

  test("leaves a bracket", async () => {
    const { step, open, reached } = gate("a");
    const { runner, journal } = bench.process([testOperation([world.bracket("paused", [step, world.step("b")])])]);
    const started = runner.start("test.do", {}, CALLER);
    await reached();
    await journal.requestCancel((await journal.list())[0]!.id);
    open();
    await expect(started).rejects.toMatchObject({ code: "cancelled" });
    expect(world.done).toEqual(["enter paused", "a waits", "exit paused", "undo a"]);
  });

  test("works on a run whose process is dead", async () => {
    const operation = testOperation([world.step("a"), world.step("b")]);
    await bench.dieAt(operation, { step: "b", moment: "before-effect" });
    const { runner, journal } = bench.process([operation]);
    const [run] = await journal.interrupted();
    await journal.requestCancel(run!.id);
    expect(await runner.tryResume(run!)).toBe(true);
    expect((await journal.get(run!.id))!.state).toBe("cancelled");
    expect([...world.facts]).toEqual([]);
  });
});

describe("going away", () => {
  async function leaveDuring(reason?: Error) {
    const caller = new AbortController();
    const { step, open, reached } = gate("b");
    const operation = testOperation([world.step("a"), world.bracket("paused", [step])]);
    const { runner, journal } = bench.process([operation], { signal: caller.signal });
    const started = runner.start("test.do", {}, CALLER).catch((error: unknown) => error);
    await reached();
    caller.abort(reason);
    const left = await started;
    open();
    return { left, operation, run: (await journal.list())[0]! };
  }

  test.each([
    ["by detaching", new Detach()],
    ["for any other reason, such as the agent's end", undefined],
  ])("%s leaves the run as it is, and another process goes on at once", async (_name, reason) => {
    const { left, operation, run } = await leaveDuring(reason);
    expect(left).toBeInstanceOf(Detach);
    expect((left as Detach).runId).toBe(run.id);
    expect(run).toMatchObject({ state: "running", error: null });
    expect(world.done.filter((line) => line.startsWith("undo"))).toEqual([]);
    expect(world.facts.has("paused")).toBe(false);
    const next = bench.process([operation]);
    expect((await next.journal.interrupted()).map(({ id }) => id)).toEqual([run.id]);
    expect(await next.runner.tryResume(run)).toBe(true);
    expect((await next.journal.get(run.id))!.state).toBe("completed");
    expect(world.done.filter((line) => line === "a")).toHaveLength(1);
  });

  test("because the leadership was lost changes nothing more: a bracket is left by whoever goes on", async () => {
    const { left, operation, run } = await leaveDuring(new HomelabError("lease_lost", "this process no longer leads"));
    expect(left).toBeInstanceOf(Detach);
    expect(run).toMatchObject({ state: "running", error: null });
    expect(world.facts.has("paused")).toBe(true);
    const next = bench.process([operation]);
    expect(await next.runner.tryResume(run)).toBe(true);
    expect((await next.journal.get(run.id))!.state).toBe("completed");
    expect(world.facts.has("paused")).toBe(false);
  });

  test("before the first step begins the run all the same, for others to do", async () => {
    const signal = AbortSignal.abort(new Detach());
    const operation = testOperation([world.step("a")]);
    const { runner, journal } = bench.process([operation], { signal });
    const left = await runner.start("test.do", {}, CALLER).catch((error: unknown) => error);
    expect((left as Detach).runId).toBe((await journal.interrupted())[0]!.id);
    expect(world.done).toEqual([]);
    await start(operation);
    expect(world.done).toEqual(["a"]);
  });

  test("while waiting for a lock begins nothing", async () => {
    const { step, open, reached } = gate("a");
    const first = start(testOperation([step]));
    await reached();
    const caller = new AbortController();
    const { runner, journal } = bench.process([testOperation([], { name: "test.other" })], { signal: caller.signal });
    const waiting = runner.start("test.other", {}, CALLER).catch((error: unknown) => error);
    await sleep(50);
    caller.abort(new Detach());
    const left = await waiting;
    expect(left).toBeInstanceOf(Detach);
    expect((left as Detach).runId).toBeUndefined();
    expect(await journal.list()).toHaveLength(1);
    open();
    await first;
  });

  test("while following another's run leaves that one alone, and says which it is", async () => {
    const { step, open, reached } = gate("a");
    const operation = testOperation([step]);
    const first = start(operation);
    await reached();
    const caller = new AbortController();
    const { runner, journal } = bench.process([operation], { signal: caller.signal });
    const following = runner.start("test.do", {}, CALLER).catch((error: unknown) => error);
    await sleep(50);
    caller.abort(new Detach());
    expect(((await following) as Detach).runId).toBe((await journal.list())[0]!.id);
    open();
    await expect(first).resolves.toMatchObject({ result: "all done" });
  });
});

describe("a run that another version began", () => {
  const before = () => testOperation([world.step("a"), world.step("cut", { barrier: true }), world.step("b")]);
  const after: [string, () => AnyOperation[]][] = [
    ["with a step that is gone", () => [testOperation([world.step("a"), world.step("b")])]],
    [
      "with a step more",
      () => [
        testOperation([world.step("a"), world.step("cut", { barrier: true }), world.step("new"), world.step("b")]),
      ],
    ],
    [
      "with another order",
      () => [testOperation([world.step("b"), world.step("cut", { barrier: true }), world.step("a")])],
    ],
    ["as an operation that is gone", () => []],
  ];

  test.each(after)("%s is neither run nor taken back", async (_name, known) => {
    await bench.dieAt(before(), { step: "b", moment: "before-effect" });
    const { runner, journal } = bench.process(known());
    const [run] = await journal.interrupted();
    expect(await runner.tryResume(run!)).toBe(false);
    expect(world.done).toEqual(["a", "cut"]);
    expect(shortEntries(await journal.entries(run!.id)).at(-1)).toBe("b started");
    expect(await journal.get(run!.id)).toMatchObject({ state: "running" });
  });

  test("is refused in a sentence that says what to do", async () => {
    await bench.dieAt(before(), { step: "b", moment: "before-effect" });
    const { runner } = bench.process(after[0]![1]());
    await expect(runner.start("test.do", {}, CALLER)).rejects.toMatchObject({
      code: "steps_unknown",
      message: "test.do was begun with other steps (cut)",
      hint: expect.stringContaining("the version that began it") as string,
    });
  });

  test("is finished by that version, once it is there again", async () => {
    await bench.dieAt(before(), { step: "b", moment: "before-effect" });
    const stranger = bench.process(after[0]![1]());
    await stranger.runner.tryResume((await stranger.journal.interrupted())[0]!);
    await expect(start(before())).resolves.toMatchObject({ result: "all done" });
    expect(world.done).toEqual(["a", "cut", "b"]);
  });

  test("ends when it is cancelled, and gives its locks back", async () => {
    await bench.dieAt(before(), { step: "b", moment: "before-effect" });
    const { runner, journal } = bench.process(after[0]![1]());
    const [run] = await journal.interrupted();
    await journal.requestCancel(run!.id);
    await runner.tryResume(run!);
    expect(await journal.get(run!.id)).toMatchObject({ state: "cancelled", error: { code: "steps_unknown" } });
    expect(world.done).toEqual(["a", "cut"]);
    await expect(runner.start("test.do", { name: "again" }, CALLER)).resolves.toMatchObject({ result: "all done" });
  });
});

describe("joining", () => {
  test("a run that nobody knows is not found", async () => {
    await expect(bench.process([]).runner.join("op_NONE")).rejects.toMatchObject({ code: "not_found" });
  });

  test("a run that is over answers at once what came of it", async () => {
    const { run } = await start(testOperation([world.step("a")]));
    await expect(bench.process([]).runner.join(run.id)).resolves.toMatchObject({ result: "all done" });
  });
});
