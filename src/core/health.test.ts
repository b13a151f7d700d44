import { expect, test } from "vitest";
import { worstState, type HealthState } from "./health.ts";

test.each<[HealthState[], HealthState]>([
  [["ok", "ok"], "ok"],
  [["ok", "unknown"], "unknown"],
  [["unknown", "degraded", "ok"], "degraded"],
  [["degraded", "down", "unknown"], "down"],
  [[], "unknown"],
])("of %j the worst state is %s", (states, worst) => {
  expect(worstState(states)).toBe(worst);
  expect(worstState(states.toReversed())).toBe(worst);
});
