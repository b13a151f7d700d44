import { join } from "node:path";
import type { Topology } from "../../cluster/topology.ts";
import type { ProcessSpec } from "../../host/processes.ts";
import { cleanEnvironment } from "../../host/run.ts";
import { certificateFiles } from "../tls.ts";
import { patroniConfigPath } from "./config.ts";

/** Patroni, which alone starts, stops and promotes PostgreSQL. SIGTERM makes it stop PostgreSQL cleanly first. */
export function patroniProcess(topology: Topology): ProcessSpec {
  return {
    name: "patroni",
    argv: [topology.programs.patroni, patroniConfigPath(topology)],
    env: cleanEnvironment({ PYTHONUNBUFFERED: "1", PYTHONDONTWRITEBYTECODE: "1" }),
    stop: { signal: "SIGTERM", grace: 90 },
    after: ["etcd"],
    ready: { https: topology.ports.patroni, path: "/health" },
    files: [patroniConfigPath(topology), certificateFiles(topology.paths).cert],
    // Until the cluster was bootstrapped whole, only cluster.create may start Patroni: what a power cut left of an
    // initdb can start, and be broken all the same (faults: F83).
    onlyIf: topology.paths.bootstrapped,
    orWhile: join(topology.paths.run, "bootstrapping.pid"),
    // What a restore has not brought to its target yet must not be started: Patroni would, and take no heed of the target.
    unless: topology.paths.replacing,
    leaves: { pidFile: join(topology.paths.postgresData, "postmaster.pid"), stop: { signal: "SIGINT", grace: 60 } },
  };
}
