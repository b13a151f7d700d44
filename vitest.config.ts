import { defineConfig } from "vitest/config";

/** Engines take two cores, so their tests go one file after the other; unit tests share a process. */
const engines = { fileParallelism: false, testTimeout: 180_000, hookTimeout: 180_000 };

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
        test: { name: "features", include: ["tests/features/**/*.test.ts"], sequence: { groupOrder: 1 }, ...engines },
      },
      {
        extends: true,
        test: { name: "chaos", include: ["tests/chaos/**/*.test.ts"], sequence: { groupOrder: 2 }, ...engines },
      },
    ],
  },
});
