import { describe, expect, test } from "vitest";
import { testOperation, World } from "../../tests/harness/runs.ts";
import { HomelabError } from "../core/errors.ts";
import type { Site } from "../site/site.ts";
import { planOperation } from "./plan.ts";

const site = {} as Site;

describe("a dry run", () => {
  test("says what each step would do, and changes nothing", async () => {
    const world = new World();
    world.facts.add("b");
    const operation = testOperation([
      world.step("a"),
      world.bracket("paused", [world.step("b"), world.step("c", { check: undefined })]),
      world.step("d", { check: async () => Promise.reject(new Error("there is nothing to ask yet")) }),
    ]);
    expect(await planOperation(operation, {}, site)).toEqual([
      { step: "a", effect: "run", says: "make a true" },
      { step: "b", effect: "skip", says: "make b true" },
      { step: "c", effect: "run", says: "make c true" },
      { step: "d", effect: "unknown", says: "make d true" },
    ]);
    expect([world.done, [...world.facts]]).toEqual([[], ["b"]]);
  });

  test("refuses what the run would refuse", async () => {
    const guard = async () => Promise.reject(new HomelabError("database_exists", "it exists"));
    await expect(planOperation(testOperation([], { guards: [guard] }), {}, site)).rejects.toMatchObject({
      code: "database_exists",
    });
  });
});
