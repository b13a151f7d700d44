import type { Topology } from "../../cluster/topology.ts";
import type { ProcessSpec } from "../../host/processes.ts";
import { cleanEnvironment } from "../../host/run.ts";
import { haproxyConfigPath } from "./config.ts";

/** HAProxy in the foreground, one process: what is killed is what the agent watches. */
export function haproxyProcess(topology: Topology): ProcessSpec {
  return {
    name: "haproxy",
    argv: [topology.programs.haproxy, "-db", "-f", haproxyConfigPath(topology)],
    env: cleanEnvironment(),
    stop: { signal: "SIGTERM", grace: 5 },
    after: [],
    ready: { tcp: topology.ports.haproxy_stats },
    files: [haproxyConfigPath(topology)],
  };
}
