import { formatVersion } from "../cluster/versions.ts";
import { worstState, type Health, type HealthState } from "../core/health.ts";
import { haproxyHealth } from "../engines/haproxy/health.ts";
import { patroniHealth } from "../engines/patroni/health.ts";
import { pgbouncerHealth } from "../engines/pgbouncer/health.ts";
import { etcdHealth } from "../engines/etcd/health.ts";
import { postgresHealth } from "../engines/postgres/health.ts";
import { checkInTime, inTime, PART_PATIENCE } from "./in-time.ts";
import { readAgent, type AgentEvent } from "../host/agent-process.ts";
import { exists } from "../host/files.ts";
import { freeBytes } from "../host/machine.ts";
import { findProcess } from "../host/processes.ts";
import type { Site } from "../site/site.ts";
import { databaseList } from "./databases.ts";
import { hubHealth } from "./hub-health.ts";

/** One service on the status screen. */
interface ServiceStatus {
  name: string;
  state: HealthState;
  says: string;
  pid: number | null;
  ports: number[];
}

/** One screen: is it up, where is it, what is in it. */
export interface ClusterStatus {
  cluster: string;
  state: HealthState;
  /** Stopped on purpose with `down`. */
  stopped: boolean;
  node: string;
  postgres_version: string;
  home: string;
  services: ServiceStatus[];
  /** Null while PostgreSQL does not answer; the size, until the sampler has seen one of them. */
  databases: { count: number; size_bytes: number | null } | null;
  disk_free_bytes: number;
  events: AgentEvent[];
}

/** Looks at every part at once, and waits so many milliseconds for each. */
export async function clusterStatus(site: Site, patience = PART_PATIENCE): Promise<ClusterStatus> {
  const { topology } = site;
  const service = (name: string, look: Promise<Health>, ports: number[]) =>
    serviceStatus(site, name, checkInTime(look, patience), ports);
  const { ports, paths } = topology;
  const agent = await readAgent(paths);
  const [databases, ...services] = await Promise.all([
    inTime(countDatabases(site), patience, null),
    service("agent", agentLook(agent?.alive === true), []),
    service("hub", hubHealth(topology), [ports.hub]),
    service("etcd", etcdHealth(topology), [ports.etcd_client]),
    service("patroni", patroniHealth(topology), [ports.patroni]),
    service("postgres", postgresHealth(site.postgres), [ports.postgres]),
    service("haproxy", haproxyHealth(topology), [ports.direct, ports.direct_read_only]),
    service("pgbouncer", pgbouncerHealth(topology, "pgbouncer"), [ports.pooled]),
    service("pgbouncer-ro", pgbouncerHealth(topology, "pgbouncer-ro"), [ports.pooled_read_only]),
  ]);
  const stopped = services.every((entry) => entry.pid === null) && (await exists(paths.bootstrapped));
  return {
    cluster: topology.scope,
    state: worstState(services.map((entry) => entry.state)),
    stopped,
    node: topology.node.name,
    postgres_version: formatVersion(topology.versions.postgresql),
    home: paths.root,
    // Why none of them answers is no riddle then.
    services: stopped ? services.map((entry) => ({ ...entry, says: "stopped" })) : services,
    databases,
    disk_free_bytes: freeBytes(paths.root),
    events: agent?.state.events.slice(-5) ?? [],
  };
}

const agentLook = async (alive: boolean): Promise<Health> =>
  alive
    ? { state: "ok", says: "keeps the services running" }
    : { state: "degraded", says: "does not run: homelab up starts it" };

async function serviceStatus(
  { topology }: Site,
  name: string,
  look: Promise<Health>,
  ports: number[],
): Promise<ServiceStatus> {
  const [health, process] = await Promise.all([
    look,
    name === "agent" ? readAgent(topology.paths) : findProcess(topology.paths.run, name),
  ]);
  const pid =
    process && "state" in process ? (process.alive ? process.state.identity.pid : null) : (process?.pid ?? null);
  return { name, state: health.state, says: health.says, pid, ports };
}

async function countDatabases(site: Site): Promise<ClusterStatus["databases"]> {
  try {
    const list = await databaseList(site);
    const sizes = list.map((row) => row.size_bytes).filter((bytes) => bytes !== null);
    const known = sizes.length > 0 || list.length === 0;
    return { count: list.length, size_bytes: known ? sizes.reduce((sum, bytes) => sum + bytes, 0) : null };
  } catch {
    return null;
  }
}
