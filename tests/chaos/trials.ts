import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isBracket, type AnyOperation } from "../../src/operations/operation.ts";
import { registry } from "../../src/operations/registry.ts";
import type { CrashPoint } from "../../src/operations/walk.ts";
import { TestHome } from "../harness/home.ts";
import { cases, type ChaosCase } from "./cases.ts";
import { Worker } from "./client.ts";

const MOMENTS: CrashPoint["moment"][] = ["before-effect", "after-effect", "after-journal"];

/** Every point at which a run can die: around each step's effect and its line, and inside each bracket. */
function crashPoints(operation: AnyOperation, { isCostly }: ChaosCase): Omit<CrashPoint, "operation">[] {
  const moments = isCostly ? MOMENTS.filter((moment) => moment === "after-effect") : MOMENTS;
  const around = (step: string) => moments.map((moment) => ({ step, moment }));
  return operation.steps.flatMap((item) =>
    isBracket(item)
      ? [{ step: item.name, moment: "after-effect" as const }, ...item.steps.flatMap((step) => around(step.name))]
      : around(item.name),
  );
}

let home: TestHome;
let worker: Worker;
let trial = 0;

/** Prepares, lets a process die at a point (or at none), does the same again, and answers what is there then. */
async function trialOf(operation: AnyOperation, chaosCase: ChaosCase, point?: Omit<CrashPoint, "operation">) {
  const database = `chaos_${++trial}x`;
  const input = await chaosCase.prepare(worker, database);
  const command = { do: "run" as const, operation: operation.name, input, now: chaosCase.now };
  let outcome = "came through";
  if (point) {
    const victim = new Worker(home);
    outcome = await victim.askToDie({ ...command, crash: point });
  }
  // Died and resumed, or not begun: the user's next key stroke is the same command again. What it cannot do twice
  // (the agent was quicker and has finished it) it refuses.
  if (!point || outcome === "died") await worker.ask(command).catch((error: Error) => point || Promise.reject(error));
  const { snapshot } = await worker.ask<{ snapshot: unknown }>({ do: "snapshot", database });
  return { input, outcome, snapshot };
}

/** Puts some operations to the test, in a home of their own: files of tests are run beside one another. */
export function chaosOf(names: readonly string[]): void {
  beforeAll(async () => {
    home = await TestHome.up();
    worker = new Worker(home);
  });
  afterAll(async () => {
    await worker?.end();
    await home?.destroy();
  });
  const listed = names.flatMap((name) => cases[name]!.map((chaosCase, i) => ({ name, i, chaosCase })));
  describe.each(listed)("$name ($i)", ({ name, chaosCase }) => {
    const operation = registry.find((candidate) => candidate.name === name)!;
    const points = crashPoints(operation, chaosCase);

    test(`killed at each of ${points.length} points and done again, it ends as if nothing had happened`, async () => {
      const reference = await trialOf(operation, chaosCase);
      let died = 0;
      for (const point of points) {
        const { outcome, snapshot } = await trialOf(operation, chaosCase, point);
        if (outcome === "died") died += 1;
        expect(snapshot, `after death at ${point.step}, ${point.moment}`).toEqual(reference.snapshot);
      }
      console.log(
        `chaos: ${name} ${JSON.stringify(reference.input)}: ${points.length} points, died at ${died}, all ended the same`,
      );
      // A point that is never reached proves nothing.
      expect(died).toBeGreaterThan(points.length / 3);
    }, 600_000);
  });
}
