import type { Bench } from "./bench.ts";
import { coldStart } from "./cold-start.ts";
import { createFresh, createWithThousand } from "./create.ts";
import { exporting } from "./export.ts";
import { hub } from "./hub.ts";
import { launcher } from "./launcher.ts";
import { list } from "./list.ts";
import { memory } from "./memory.ts";
import { pooled } from "./pooled.ts";

/** Everything that is measured, in the order in which it runs: what fills the shared home comes last. */
export const benches: readonly Bench[] = [
  launcher,
  coldStart,
  memory,
  pooled,
  exporting,
  createFresh,
  createWithThousand,
  list,
  hub,
];
