import { describe, expect, test } from "vitest";
import { isBracket, stepNames } from "./operation.ts";
import { registry } from "./registry.ts";

describe("the registry", () => {
  test("knows each operation by one name, a noun and a verb", () => {
    const names = registry.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z]+\.[a-z]+(-[a-z]+)*$/);
  });

  test.each(registry.map((operation) => [operation.name, operation] as const))(
    "%s has steps with names of their own, which are frozen in the journal, and a deadline for each",
    (_name, operation) => {
      const steps = operation.steps.flatMap((item) => (isBracket(item) ? item.steps : [item]));
      const brackets = operation.steps.filter(isBracket).map(({ name }) => name);
      const names = [...stepNames(operation), ...brackets];
      expect(new Set(names).size).toBe(names.length);
      for (const name of names) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
      for (const step of steps) expect(step.deadline).toBeGreaterThan(0);
      expect(operation.summary.length).toBeGreaterThan(5);
    },
  );

  test.each(registry.map((operation) => [operation.name, operation] as const))(
    "%s refuses an input with a field that it does not know",
    (_name, operation) => {
      const result = operation.input.safeParse({ there_is_no_such_field: 1 });
      expect(result.success).toBe(false);
      expect(JSON.stringify(result.error?.issues)).toContain("there_is_no_such_field");
    },
  );

  test("leaves every barrier where a later step cannot be in need of an earlier one's undo", () => {
    for (const operation of registry) {
      const steps = operation.steps.flatMap((item) => (isBracket(item) ? item.steps : [item]));
      for (const step of steps.filter(({ barrier }) => barrier)) expect(step.undo).toBeUndefined();
    }
  });
});
