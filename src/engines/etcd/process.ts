import type { Topology } from "../../cluster/topology.ts";
import type { ProcessSpec } from "../../host/processes.ts";
import { cleanEnvironment } from "../../host/run.ts";
import { etcdConfigPath } from "./config.ts";

/** etcd: ready when its own health says so, which a member without a leader does not. */
export function etcdProcess(topology: Topology): ProcessSpec {
  return {
    name: "etcd",
    argv: [topology.programs.etcd, "--config-file", etcdConfigPath(topology)],
    // etcd 3.4 asks for this word on arm64 (etcd manual, "Supported platforms").
    env: cleanEnvironment(process.arch === "arm64" ? { ETCD_UNSUPPORTED_ARCH: "arm64" } : {}),
    stop: { signal: "SIGTERM", grace: 10 },
    after: [],
    ready: { https: topology.ports.etcd_client, path: "/health", contains: '"health":"true"' },
    files: [etcdConfigPath(topology)],
  };
}
