import type { Topology } from "../../cluster/topology.ts";
import type { ProcessSpec } from "../../host/processes.ts";
import { cleanEnvironment } from "../../host/run.ts";
import { poolerConfigPath, poolerFiles, poolerPort, type PoolerName } from "./config.ts";

/**
 * PgBouncer, which logs to standard error: -q would leave it without any log. SIGINT lets running transactions end
 * first; SIGTERM does not (manual, "Signals").
 */
export function pgbouncerProcess(topology: Topology, name: PoolerName): ProcessSpec {
  return {
    name,
    argv: [topology.programs.pgbouncer, poolerConfigPath(topology, name)],
    env: cleanEnvironment(),
    stop: { signal: "SIGINT", grace: 5 },
    after: [],
    ready: { socket: `${topology.paths.run}/.s.PGSQL.${poolerPort(topology, name)}` },
    files: poolerFiles(topology, name),
  };
}
