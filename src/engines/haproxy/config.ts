import { join } from "node:path";
import type { Topology } from "../../cluster/topology.ts";
import { GENERATED, type RenderedFile } from "../engine.ts";

export const haproxyConfigPath = (topology: Topology): string => join(topology.paths.etc, "haproxy.cfg");
export const haproxySocket = (topology: Topology): string => join(topology.paths.run, "haproxy.sock");

/**
 * The direct ports. With one data node there is no choice to make, so there is no check either: a dead Patroni must
 * not cut sessions of a PostgreSQL that lives (measured: 2.3 s of service lost to a check).
 */
export function renderHaproxy(topology: Topology): RenderedFile {
  const { ports, node, listen } = topology;
  const bind = (port: number) =>
    `  bind ${listen.map((address) => `${address.includes(":") ? `[${address}]` : address}:${port}`).join(",")}`;
  const server = `  server ${node.name} ${node.address}:${ports.postgres}`;
  const lines = [
    `# ${GENERATED}`,
    "global",
    "  maxconn 4000",
    "  log stdout format raw local0 notice",
    `  stats socket ${haproxySocket(topology)} mode 600 level admin`,
    "defaults",
    "  mode tcp",
    "  log global",
    // Each retry waits a second; a client asks again by itself.
    "  retries 0",
    "  timeout connect 2s",
    "  timeout client 24h",
    "  timeout server 24h",
    "  option clitcpka",
    "  option srvtcpka",
    "listen direct",
    bind(ports.direct),
    server,
    "listen direct-read-only",
    bind(ports.direct_read_only),
    server,
    "listen statistics",
    "  mode http",
    `  bind ${node.address}:${ports.haproxy_stats}`,
    "  timeout client 30s",
    "  timeout server 30s",
    "  stats enable",
    "  stats uri /",
    "",
  ];
  return { path: haproxyConfigPath(topology), content: lines.join("\n"), mode: 0o600, onChange: "restart" };
}
