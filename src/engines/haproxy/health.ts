import type { Topology } from "../../cluster/topology.ts";
import type { Health } from "../../core/health.ts";
import { errorMessage } from "../../core/errors.ts";
import { haproxySessions } from "./client.ts";

/** Whether HAProxy answers, and how many sessions go through it. */
export async function haproxyHealth(topology: Topology): Promise<Health> {
  try {
    const sessions = await haproxySessions(topology);
    const open = Object.values(sessions).reduce((sum, count) => sum + count, 0);
    return { state: "ok", says: `${open} direct sessions`, facts: { sessions } };
  } catch (error) {
    return { state: "down", says: errorMessage(error), hint: "homelab logs haproxy shows why." };
  }
}
