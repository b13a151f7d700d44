import { join } from "node:path";
import { stringify } from "yaml";
import type { Topology } from "../../cluster/topology.ts";
import { GENERATED, type RenderedFile } from "../engine.ts";
import { certificateFiles } from "../tls.ts";

export const etcdConfigPath = (topology: Topology): string => join(topology.paths.etc, "etcd.yml");

/**
 * etcd's own configuration file. Client certificates are demanded from everybody, members included: the leader's key
 * decides who may write, so nobody else on the machine may touch it (etcd manual, "Transport security model").
 */
export function renderEtcd(topology: Topology): RenderedFile {
  const { node, nodes, ports, paths, scope } = topology;
  const tls = certificateFiles(paths);
  const client = `https://${node.address}:${ports.etcd_client}`;
  const peer = `https://${node.address}:${ports.etcd_peer}`;
  const transport = { "cert-file": tls.cert, "key-file": tls.key, "trusted-ca-file": tls.ca, "client-cert-auth": true };
  const settings = {
    name: node.name,
    "data-dir": paths.etcdData,
    "listen-client-urls": client,
    "advertise-client-urls": client,
    "listen-peer-urls": peer,
    "initial-advertise-peer-urls": peer,
    "initial-cluster": nodes.map((n) => `${n.name}=https://${n.address}:${ports.etcd_peer}`).join(","),
    "initial-cluster-token": scope,
    "initial-cluster-state": "new",
    "quota-backend-bytes": 256 * 1024 * 1024,
    "auto-compaction-mode": "periodic",
    "auto-compaction-retention": "1h",
    // A single member has nobody to wait for; the default of 1 s only delays the start.
    ...(nodes.length === 1 ? { "heartbeat-interval": 50, "election-timeout": 250 } : {}),
    // Patroni and we speak to its JSON gateway; with a configuration file it is off unless it is named.
    "enable-grpc-gateway": true,
    logger: "zap",
    "log-level": "warn",
    "log-outputs": ["stderr"],
    "client-transport-security": transport,
    "peer-transport-security": transport,
  };
  // Go reads YAML 1.1, where a node called "no" would be no text.
  const content = stringify(settings, { lineWidth: 0, compat: "yaml-1.1" });
  return { path: etcdConfigPath(topology), content: `# ${GENERATED}\n${content}`, mode: 0o600, onChange: "restart" };
}
