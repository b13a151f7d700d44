import { HomelabError } from "../../core/errors.ts";
import { pausePools, resumePools } from "../../engines/pgbouncer/client.ts";
import type { PoolerName } from "../../engines/pgbouncer/config.ts";
import { orAborted } from "../deadline.ts";
import type { Bracket, Step, StepContext } from "../operation.ts";

const POOLERS: PoolerName[] = ["pgbouncer", "pgbouncer-ro"];

/** Seconds that open transactions get to end; then the pools go on, and the operation gives up. */
const PATIENCE = 10;

async function pauseAll({ site }: StepContext<unknown>): Promise<void> {
  const patience = AbortSignal.timeout(PATIENCE * 1000);
  try {
    await orAborted(Promise.all(POOLERS.map((name) => pausePools(site.topology, name))), patience);
  } catch (error) {
    await resumeAll(site.topology);
    if (!patience.aborted) throw error;
    throw new HomelabError(
      "deadline_passed",
      `transactions stayed open for ${PATIENCE} s, so the pools were not paused`,
      {
        hint: "Try again when they have ended.",
      },
    );
  }
}

async function resumeAll(topology: StepContext<unknown>["site"]["topology"]): Promise<void> {
  await Promise.all(POOLERS.map((name) => resumePools(topology, name)));
}

/** Clients of the pooled ports wait meanwhile, and see no error. */
export function poolsPaused<In>(steps: Step<In>[]): Bracket<In> {
  return {
    kind: "bracket",
    name: "pools-paused",
    enter: pauseAll,
    exit: ({ site }) => resumeAll(site.topology),
    steps,
  };
}
