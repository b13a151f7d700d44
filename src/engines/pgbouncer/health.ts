import type { Topology } from "../../cluster/topology.ts";
import type { Health } from "../../core/health.ts";
import { errorMessage } from "../../core/errors.ts";
import { isPaused, showPools } from "./client.ts";
import type { PoolerName } from "./config.ts";

/** Whether the pooler answers, is not paused, and lets nobody wait long. */
export async function pgbouncerHealth(topology: Topology, name: PoolerName): Promise<Health> {
  try {
    const [pools, paused] = await Promise.all([showPools(topology, name), isPaused(topology, name)]);
    const waiting = pools.reduce((sum, pool) => sum + pool.cl_waiting, 0);
    const longest = Math.max(0, ...pools.map((pool) => pool.maxwait));
    const clients = waiting + pools.reduce((sum, pool) => sum + pool.cl_active, 0);
    const facts = { pools: pools.length, clients, waiting, longest_wait_seconds: longest, paused };
    if (paused)
      return {
        state: "degraded",
        says: "the pools are paused: clients wait",
        facts,
        hint: "An operation does this for seconds only; homelab op list shows it.",
      };
    if (longest > 1)
      return {
        state: "degraded",
        says: `${waiting} clients wait, the first for ${longest} s`,
        facts,
        hint: "A pool is too small, or transactions stay open.",
      };
    return { state: "ok", says: `${clients} clients in ${pools.length} pools`, facts };
  } catch (error) {
    return { state: "down", says: errorMessage(error), hint: `homelab logs ${name} shows why.` };
  }
}
