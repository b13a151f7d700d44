import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RunBench, shortEntries, testOperation, World } from "../../tests/harness/runs.ts";
import { HomelabError } from "../core/errors.ts";
import { sleep, waitUntil } from "../core/clock.ts";
import type { AnyOperation } from "./operation.ts";

let bench: RunBench;
let world: World;
beforeEach(async () => {
  bench = await RunBench.open();
  world = new World();
});
afterEach(() => bench.destroy());

const fails = async (): Promise<never> => Promise.reject(new HomelabError("step_failed", "no luck"));

/** Runs an operation in a process of its own, and answers its history too, whatever the end was. */
async function run(operation: AnyOperation) {
  const { runner, journal } = bench.process([operation]);
  const finished = await runner.start(operation.name, {}, { caller: "test" }).catch((error: unknown) => error);
  const [newest] = await journal.list({ limit: 1 });
  return { finished, run: newest!, entries: shortEntries(await journal.entries(newest!.id)) };
}

describe("a step", () => {
  test("is done in its turn, and every one is written down before and after", async () => {
    const { finished, entries } = await run(testOperation([world.step("a"), world.step("b")]));
    expect(finished).toMatchObject({ result: "all done", run: { state: "completed" } });
    expect(world.done).toEqual(["a", "b"]);
    expect(entries).toEqual(["a started", "a done", "b started", "b done"]);
  });

  test("is skipped when it is already true", async () => {
    world.facts.add("a");
    const { entries } = await run(testOperation([world.step("a"), world.step("b")]));
    expect(world.done).toEqual(["b"]);
    expect(entries).toEqual(["a skipped", "b started", "b done"]);
  });

  test("without a check is done once, as the journal says, also by who takes the run over", async () => {
    const operation = testOperation([world.step("a", { check: undefined }), world.step("b")]);
    await bench.dieAt(operation, { step: "b", moment: "before-effect" });
    await run(operation);
    expect(world.done).toEqual(["a", "b"]);
  });

  test("with a check is done again when it is not true any more, whatever the journal says", async () => {
    const operation = testOperation([world.step("a"), world.step("b")]);
    await bench.dieAt(operation, { step: "b", moment: "before-effect" });
    world.facts.delete("a");
    await run(operation);
    expect(world.done).toEqual(["a", "a", "b"]);
  });

  test("gives what it answered to later ones and to the result, also across a death", async () => {
    const seen: unknown[] = [];
    const operation = testOperation(
      [
        world.step("a", { run: async () => ({ says: "made", output: { id: 7 } }), check: undefined }),
        world.step("b", { run: async ({ output }) => (seen.push(output("a")), { says: "b" }), check: undefined }),
      ],
      { result: async ({ output }) => ({ from: output("a") ?? null, none: output("c") ?? null }) },
    );
    await bench.dieAt(operation, { step: "b", moment: "before-effect" });
    expect((await run(operation)).finished).toMatchObject({ result: { from: { id: 7 }, none: null } });
    expect(seen).toEqual([{ id: 7 }]);
  });
});

describe("at the end", () => {
  test("a step that did not hold fails the run, and what was done is taken back", async () => {
    const loses = world.step("b", { run: async () => (world.facts.delete("a"), world.facts.add("b"), { says: "b" }) });
    const { finished, run: kept } = await run(testOperation([world.step("a"), loses]));
    expect(finished).toMatchObject({ code: "step_failed", message: "a was done, but at the end it does not hold" });
    expect(kept.state).toBe("failed");
    expect(world.done).toEqual(["a", "undo b", "undo a"]);
  });

  test("a step inside a bracket need not hold: the bracket was left", async () => {
    const inner = world.step("inside", { check: async () => world.facts.has("paused") && world.facts.has("inside") });
    expect((await run(testOperation([world.bracket("paused", [inner])]))).run.state).toBe("completed");
  });
});

describe("a bracket", () => {
  test("is entered before its steps and left after them", async () => {
    const { entries } = await run(
      testOperation([world.bracket("paused", [world.step("a"), world.step("b")]), world.step("c")]),
    );
    expect(world.done).toEqual(["enter paused", "a", "b", "exit paused", "c"]);
    expect(entries.filter((entry) => entry.startsWith("paused"))).toEqual(["paused entered", "paused left"]);
  });

  test("is not entered when none of its steps has work", async () => {
    world.facts.add("a").add("b");
    const { entries } = await run(testOperation([world.bracket("paused", [world.step("a"), world.step("b")])]));
    expect(world.done).toEqual([]);
    expect(entries).toEqual(["a skipped", "b skipped"]);
  });

  test("is entered for the one step that has work", async () => {
    world.facts.add("a");
    await run(testOperation([world.bracket("paused", [world.step("a"), world.step("b")])]));
    expect(world.done).toEqual(["enter paused", "b", "exit paused"]);
  });

  test("is left when a step inside fails, before anything is taken back", async () => {
    const { run: kept } = await run(
      testOperation([world.bracket("paused", [world.step("a"), world.step("b", { run: fails })])]),
    );
    expect(kept).toMatchObject({ state: "failed", error: { message: "no luck" } });
    expect(world.done).toEqual(["enter paused", "a", "exit paused", "undo b", "undo a"]);
    expect(world.facts.has("paused")).toBe(false);
  });

  test("is left when it could not be entered whole", async () => {
    const bracket = {
      ...world.bracket("paused", [world.step("a")]),
      enter: async () => (world.facts.add("paused"), fails()),
    };
    expect((await run(testOperation([bracket]))).run.state).toBe("failed");
    expect(world.facts.has("paused")).toBe(false);
  });

  test.each([
    ["before its step", { step: "a", moment: "before-effect" }],
    ["after its step's effect", { step: "a", moment: "after-effect" }],
    ["after its step was written down", { step: "a", moment: "after-journal" }],
    ["just when it was entered", { step: "paused", moment: "after-effect" }],
  ] as const)("of a run that died %s is left by who takes it over", async (_name, point) => {
    const operation = testOperation([world.bracket("paused", [world.step("a")]), world.step("b")]);
    await bench.dieAt(operation, point);
    expect(world.facts.has("paused")).toBe(true);
    expect((await run(operation)).run.state).toBe("completed");
    expect([...world.facts].toSorted()).toEqual(["a", "b"]);
    expect(world.done.filter((line) => line === "a")).toHaveLength(1);
    expect(world.done.at(-2)).toBe("exit paused");
  });

  test("of a run that died inside is left though who takes it over never gets that far", async () => {
    const operation = testOperation([world.step("a"), world.bracket("paused", [world.step("b")])]);
    await bench.dieAt(operation, { step: "b", moment: "before-effect" });
    const { runner, journal } = bench.process([operation]);
    const [dead] = await journal.interrupted();
    await journal.requestCancel(dead!.id);
    await runner.tryResume(dead!);
    expect((await journal.get(dead!.id))!.state).toBe("cancelled");
    expect([[...world.facts], world.done]).toEqual([[], ["a", "enter paused", "exit paused", "undo b", "undo a"]]);
  });

  test("is not left by a process that lost the run meanwhile: the new one is inside", async () => {
    const operation = testOperation([world.bracket("paused", [world.step("a")])]);
    const old = bench.process([operation], {
      onCrashPoint: async ({ moment }) => {
        if (moment !== "after-effect" || !world.facts.has("a")) return;
        old.die();
        await other.journal.takeOver((await other.journal.list())[0]!.id);
      },
    });
    const other = bench.process([operation]);
    await expect(old.runner.start("test.do", {}, { caller: "test" })).rejects.toMatchObject({ code: "lease_lost" });
    expect(world.done).toEqual(["enter paused", "a"]);
  });
});

describe("a barrier", () => {
  const steps = () => [world.step("a"), world.step("cut", { barrier: true }), world.step("b")];

  test("keeps what stands before it from being run again", async () => {
    const operation = testOperation(steps());
    await bench.dieAt(operation, { step: "b", moment: "before-effect" });
    world.facts.delete("a");
    world.facts.delete("cut");
    expect((await run(operation)).run.state).toBe("completed");
    expect(world.done).toEqual(["a", "cut", "b"]);
  });

  test("that was not written down does not hold yet", async () => {
    const operation = testOperation(steps());
    await bench.dieAt(operation, { step: "cut", moment: "after-effect" });
    world.facts.delete("a");
    await run(operation);
    expect(world.done).toEqual(["a", "cut", "a", "b"]);
  });

  test("keeps what stands before it, and itself, from being taken back", async () => {
    const operation = testOperation([...steps(), world.step("c", { run: fails })]);
    expect((await run(operation)).run.state).toBe("failed");
    expect(world.done).toEqual(["a", "cut", "b", "undo c", "undo b"]);
  });

  test("inside a bracket counts too, and the bracket is left all the same", async () => {
    const operation = testOperation([
      world.step("a"),
      world.bracket("paused", [world.step("cut", { barrier: true }), world.step("b")]),
    ]);
    await bench.dieAt(operation, { step: "b", moment: "after-effect" });
    world.facts.delete("a");
    await run(operation);
    expect(world.done).toEqual(
      ["enter paused", "a", "cut", "b", "exit paused"].toSorted((x, y) => order(x) - order(y)),
    );
    expect(world.facts.has("paused")).toBe(false);
  });

  const order = (line: string) => ["a", "enter paused", "cut", "b", "exit paused"].indexOf(line);
});

describe("what failed is taken back", () => {
  test("in reverse order, and only what this run touched", async () => {
    world.facts.add("b");
    const { entries } = await run(
      testOperation([
        world.step("a"),
        world.step("b"),
        world.step("c"),
        world.step("d", { run: fails }),
        world.step("e"),
      ]),
    );
    expect(world.done).toEqual(["a", "c", "undo d", "undo c", "undo a"]);
    expect([...world.facts]).toEqual(["b"]);
    expect(entries.slice(-6)).toEqual(["d undoing", "d undone", "c undoing", "c undone", "a undoing", "a undone"]);
  });

  test("also what a dead process had done of the same run", async () => {
    const operation = testOperation([world.step("a"), world.step("b"), world.step("c", { run: fails })]);
    await bench.dieAt(operation, { step: "b", moment: "after-effect" });
    expect((await run(operation)).run.state).toBe("failed");
    expect([...world.facts]).toEqual([]);
    expect(world.done.slice(-3)).toEqual(["undo c", "undo b", "undo a"]);
  });

  test("and a process that dies at that leaves nothing that the next one would take for done", async () => {
    let luck = false;
    const known: AnyOperation[] = [];
    const doomed = bench.process(known);
    const half = world.step("a", {
      check: undefined,
      undo: async () => {
        world.facts.delete("a");
        if (luck) return;
        doomed.die();
        await new Promise(() => {});
      },
    });
    const operation = testOperation([
      half,
      world.step("b", { run: async () => (luck ? { says: "b" } : fails()), check: undefined }),
    ]);
    known.push(operation);
    doomed.runner.start("test.do", {}, { caller: "test" }).catch(() => {});
    await waitUntil(async () => (await doomed.journal.interrupted()).length === 1, { timeout: 10, what: "it died" });
    luck = true;
    expect((await run(operation)).run.state).toBe("completed");
    expect([...world.facts]).toEqual(["a"]);
  });

  test("except where that would not be honest", async () => {
    await run(testOperation([world.step("a", { undo: undefined }), world.step("b"), world.step("c", { run: fails })]));
    expect([...world.facts]).toEqual(["a"]);
  });

  test("and what could not be is named, while the rest goes on", async () => {
    const { finished } = await run(
      testOperation([world.step("a"), world.step("b", { undo: fails }), world.step("c", { run: fails })]),
    );
    expect(finished).toMatchObject({ code: "step_failed", message: "no luck (not taken back: b)" });
    expect(world.done).toEqual(["a", "b", "undo c", "undo a"]);
  });
});

describe("a deadline", () => {
  const slow = (tick: number, ticks: number, report: boolean) =>
    world.step("slow", {
      check: undefined,
      deadline: 0.8,
      run: async ({ progress }) => {
        for (let i = 1; i <= ticks; i++) {
          await sleep(tick);
          if (report) progress({ done: i, total: ticks, unit: "rows" });
        }
        return { says: "at last" };
      },
    });

  test("ends a step that makes no progress, though it does not listen", async () => {
    const begun = performance.now();
    const { finished } = await run(testOperation([slow(10_000, 1, false)]));
    expect(finished).toMatchObject({ code: "deadline_passed", message: "slow made no progress for 0.8 s" });
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  test("is put off by measured progress", async () => {
    expect((await run(testOperation([slow(150, 8, true)]))).run.state).toBe("completed");
  });

  test("is told to the step, which can stop by itself", async () => {
    let reason: unknown;
    const listens = world.step("listens", {
      check: undefined,
      deadline: 0.1,
      run: ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject((reason = signal.reason) as Error));
        }),
    });
    await run(testOperation([listens]));
    expect(reason).toMatchObject({ code: "deadline_passed" });
  });

  test("holds for checks too", async () => {
    const { finished } = await run(
      testOperation([world.step("a", { deadline: 0.1, check: () => new Promise(() => {}) })]),
    );
    expect(finished).toMatchObject({ code: "deadline_passed" });
  });
});

describe("progress", () => {
  test("is seen by whoever looks, in the journal and by the follower", async () => {
    const shown: unknown[] = [];
    const operation = testOperation([
      world.step("copy", {
        check: undefined,
        run: async ({ progress }) => {
          progress({ done: 1, total: 4, unit: "bytes" });
          await sleep(20);
          shown.push((await journal.list())[0]!.progress);
          return { says: "copied" };
        },
      }),
    ]);
    const { runner, journal } = bench.process([operation], {
      onProgress: (_run, step, progress) => shown.push([step, progress]),
    });
    await runner.start("test.do", {}, { caller: "test" });
    expect(shown).toEqual([["copy", { done: 1, total: 4, unit: "bytes" }], { done: 1, total: 4, unit: "bytes" }]);
  });
});

describe("dying at every moment, and going on", () => {
  const shapes = {
    "plain steps": () => [world.step("a"), world.step("b"), world.step("c")],
    "a bracket": () => [world.step("a"), world.bracket("paused", [world.step("b"), world.step("c")]), world.step("d")],
    "a barrier": () => [world.step("a"), world.step("cut", { barrier: true }), world.step("c")],
    both: () => [
      world.step("a"),
      world.bracket("paused", [world.step("b"), world.step("cut", { barrier: true })]),
      world.step("d"),
    ],
  };

  test.each(Object.keys(shapes) as (keyof typeof shapes)[])("reaches the same end with %s", async (shape) => {
    const points: { step: string; moment: "before-effect" | "after-effect" | "after-journal" }[] = [];
    const whole = testOperation(shapes[shape](), { locks: () => ["whole"] });
    await bench
      .process([whole], { onCrashPoint: async ({ step, moment }) => void points.push({ step, moment }) })
      .runner.start("test.do", { name: "whole" }, { caller: "test" });
    const end = [...world.facts].toSorted();
    expect(points.length).toBeGreaterThan(8);
    for (const [i, point] of points.entries()) {
      world = new World();
      const operation = testOperation(shapes[shape]());
      const input = { name: `run ${i}` };
      await bench.dieAt(operation, point, input);
      await bench.process([operation]).runner.start("test.do", input, { caller: "test" });
      expect([point, [...world.facts].toSorted()]).toEqual([point, end]);
      const effects = world.done.filter((line) => !/^(enter|exit) /.test(line));
      expect([point, new Set(effects).size]).toEqual([point, effects.length]);
    }
  });
});
