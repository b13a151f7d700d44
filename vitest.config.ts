import { defineConfig } from "vitest/config";

/** A neighbour may take the machine for a moment. Whatever needed a second try is named at the end of the run. */
const engines = { testTimeout: 180_000, hookTimeout: 180_000, retry: 1 };

/** Engines mostly wait for one another: two homes at a time keep two cores busy. */
const atOnce = { ...engines, maxWorkers: 2 };

/** What measures gaps and answers under load would measure its neighbour: one after the other, when the others are done. */
const measured = ["faults-api-load", "faults-load", "faults-memory", "faults-processes", "hub-degradation"].map(
  (name) => `tests/features/${name}.test.ts`,
);

export default defineConfig({
  define: { HOMELAB_VERSION: JSON.stringify("0.0.0-test") },
  test: {
    reporters: ["default", "./tests/harness/closing-line.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "tests/unit/**/*.test.ts"],
          pool: "threads",
          isolate: false,
          testTimeout: 20_000,
        },
      },
      {
        extends: true,
        test: {
          name: "features",
          include: ["tests/features/**/*.test.ts"],
          exclude: measured,
          sequence: { groupOrder: 1 },
          ...atOnce,
        },
      },
      {
        extends: true,
        test: { name: "chaos", include: ["tests/chaos/**/*.test.ts"], sequence: { groupOrder: 1 }, ...atOnce },
      },
      {
        extends: true,
        test: { name: "measured", include: measured, sequence: { groupOrder: 2 }, ...engines, fileParallelism: false },
      },
    ],
  },
});
