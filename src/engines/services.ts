import type { Storage } from "../config/storage.ts";
import type { Secrets } from "../config/secrets.ts";
import type { Topology } from "../cluster/topology.ts";
import type { ProcessSpec } from "../host/processes.ts";
import { renderEtcd } from "./etcd/config.ts";
import { etcdProcess } from "./etcd/process.ts";
import type { RenderedFile } from "./engine.ts";
import { renderHaproxy } from "./haproxy/config.ts";
import { haproxyProcess } from "./haproxy/process.ts";
import { renderPatroni } from "./patroni/config.ts";
import { patroniProcess } from "./patroni/process.ts";
import { renderPgbackrest } from "./pgbackrest/config.ts";
import { renderPgbouncer } from "./pgbouncer/config.ts";
import { pgbouncerProcess } from "./pgbouncer/process.ts";

/** Every process of this node, in the order in which they are started. */
export function nodeProcesses(topology: Topology): ProcessSpec[] {
  return [
    etcdProcess(topology),
    patroniProcess(topology),
    haproxyProcess(topology),
    pgbouncerProcess(topology, "pgbouncer"),
    pgbouncerProcess(topology, "pgbouncer-ro"),
  ];
}

/** Every file that the engines of this node read. */
export function nodeFiles(topology: Topology, secrets: Secrets, storage: Storage): RenderedFile[] {
  return [
    renderEtcd(topology),
    renderPatroni(topology, secrets),
    renderHaproxy(topology),
    ...renderPgbouncer(topology, secrets),
    ...renderPgbackrest(topology, storage, secrets),
  ];
}
