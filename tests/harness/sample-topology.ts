import { completeSecrets, type Secrets } from "../../src/config/secrets.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Storage } from "../../src/config/storage.ts";
import { Secret } from "../../src/core/secret.ts";
import type { Settings } from "../../src/config/settings.ts";
import { oneNodeTopology, type MachineFacts, type NodeSpec, type Topology } from "../../src/cluster/topology.ts";

/** The settings that a homelab.yaml with this text gives, untouched by the environment. */
export function settingsFrom(text = ""): Settings {
  const files = text ? [{ path: "homelab.yaml", text }] : [];
  const readFile = (path: string): string => {
    throw new Error(`no file ${path}`);
  };
  return loadConfig({ files, env: {}, readFile, flags: {} }).settings;
}

/** A machine as Debian 13 on a small server would be. */
export const sampleMachine: MachineFacts = {
  memoryBytes: 8 * 1024 ** 3,
  cores: 4,
  hostname: "nas",
  addresses: ["192.168.1.10", "fd00::10"],
  versions: {
    postgresql: [17, 12],
    patroni: [4, 0, 7],
    etcd: [3, 5, 28],
    pgbouncer: [1, 25, 2],
    haproxy: [3, 0, 11],
    pgbackrest: [2, 59],
  },
  programs: {
    etcd: "/usr/bin/etcd",
    patroni: "/usr/bin/patroni",
    pgbouncer: "/usr/sbin/pgbouncer",
    haproxy: "/usr/sbin/haproxy",
    pgbackrest: "/usr/bin/pgbackrest",
    postgresBin: "/usr/lib/postgresql/17/bin",
  },
};

/** What Debian 12 brings: older engines with fewer abilities. */
export const oldMachine: MachineFacts = {
  ...sampleMachine,
  versions: {
    postgresql: [15, 18],
    patroni: [3, 0, 2],
    etcd: [3, 4, 23],
    pgbouncer: [1, 18, 0],
    haproxy: [2, 6, 12],
    pgbackrest: [2, 45],
  },
};

/** A topology of one node under /srv/homelab. */
export const sampleTopology = (yaml = "", machine: Partial<MachineFacts> = {}): Topology =>
  oneNodeTopology("/srv/homelab", settingsFrom(yaml), { ...sampleMachine, ...machine });

/** The same with further data nodes, as a cluster of several will have them. */
export function severalNodes(topology: Topology): Topology {
  const nodes: NodeSpec[] = [10, 11, 12].map((last) => ({ name: `node-${last}`, address: `10.0.0.${last}` }));
  return { ...topology, nodes, node: nodes[0]! };
}

/** Secrets that are the same in every run, so that what is rendered from them can be compared. */
export const sampleSecrets: Secrets = completeSecrets(
  {
    superuser: "sample-superuser",
    replication: "sample-replication",
    rewind: "sample-rewind",
    patroni_restapi: "sample-restapi",
    pooler_auth: "sample-pooler-auth",
    pooler_stats: "sample-pooler-stats",
    monitor: "sample-monitor",
  },
  {},
).secrets;

/** One repository on the machine's own disk. */
export const sampleStorage: Storage = {
  repositories: [
    { number: 1, name: "local", type: "disk", path: "/srv/homelab/backups", cipher_pass: new Secret("sample-cipher") },
  ],
};
