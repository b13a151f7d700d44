import { expect, test } from "vitest";
import { registry } from "../../src/operations/registry.ts";
import { cases, clusterOperations } from "./cases.ts";
import { groups } from "./groups.ts";

test("every operation of the registry has a chaos case, in one of the groups", () => {
  const names = registry.map(({ name }) => name).sort();
  expect([...Object.keys(cases), ...clusterOperations].sort()).toEqual(names);
  expect([...Object.values(groups).flat(), ...clusterOperations].sort()).toEqual(names);
});
