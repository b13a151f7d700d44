import type { Topology } from "../../cluster/topology.ts";
import type { Health } from "../../core/health.ts";
import { errorMessage } from "../../core/errors.ts";
import { etcdAlarms, etcdMembers } from "./client.ts";

/** Whether etcd answers with a quorum, and raises no alarm. */
export async function etcdHealth(topology: Topology): Promise<Health> {
  try {
    const [members, alarms] = await Promise.all([etcdMembers(topology), etcdAlarms(topology)]);
    const facts = { members, alarms };
    if (alarms.length > 0) return { state: "degraded", says: `etcd raises ${alarms.join(", ")}`, facts };
    return { state: "ok", says: `${members.length} of ${topology.nodes.length} members`, facts };
  } catch (error) {
    return {
      state: "down",
      says: `etcd does not answer: ${errorMessage(error)}`,
      hint: "PostgreSQL goes on in failsafe mode meanwhile. homelab logs etcd shows why.",
    };
  }
}
