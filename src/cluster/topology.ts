import type { Settings } from "../config/settings.ts";
import { homePaths, type HomePaths } from "./home.ts";
import { archiveParameters } from "./archive.ts";
import { postgresParameters, type MachineSize, type Parameters } from "./sizing.ts";
import {
  poolerCapabilities,
  repositoryCapabilities,
  type EngineVersions,
  type PoolerCapabilities,
  type RepositoryCapabilities,
} from "./versions.ts";

type PortName = keyof Settings["network"]["ports"];
export type Ports = Record<PortName, number>;

/** A data node: a machine with a copy of the data. */
export interface NodeSpec {
  name: string;
  /** The address at which the cluster's members reach it. */
  address: string;
}

/** What was found on this machine, as far as the topology depends on it. */
export interface MachineFacts extends MachineSize {
  hostname: string;
  /** The machine's own addresses, loopback left out. */
  addresses: string[];
  versions: EngineVersions;
  /** Where the engines' programs are. */
  programs: Record<"etcd" | "patroni" | "pgbouncer" | "haproxy" | "pgbackrest" | "postgresBin", string>;
}

/** Who runs what where, on which port, and who talks to whom: everything that two engines share is worked out here. */
export interface Topology {
  scope: string;
  paths: HomePaths;
  settings: Settings;
  /** This machine. */
  node: NodeSpec;
  nodes: NodeSpec[];
  /** The addresses at which apps reach us. */
  listen: string[];
  ports: Ports;
  versions: EngineVersions;
  programs: MachineFacts["programs"];
  parameters: Parameters;
  pooler: PoolerCapabilities;
  repository: RepositoryCapabilities;
  /** Names and addresses that the certificates must hold. */
  certificateNames: { dns: string[]; ip: string[] };
}

/** IPv4 of RFC 1918, and IPv6 of RFC 4193: addresses that no one on the internet can reach. */
export function isPrivateAddress(address: string): boolean {
  return (
    /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/.test(address) ||
    /^f[cd][0-9a-f]{2}:/i.test(address) ||
    isLoopback(address)
  );
}

/** 127.0.0.0/8 and ::1; a name that only begins like one is none. */
export const isLoopback = (address: string): boolean => address === "::1" || /^127(\.\d{1,3}){3}$/.test(address);

/** Works out the topology of a cluster of one node: pure, and the same for the same input. */
export function oneNodeTopology(root: string, settings: Settings, machine: MachineFacts): Topology {
  const node = { name: nodeName(machine.hostname), address: "127.0.0.1" };
  const listen = listenAddresses(settings, machine.addresses);
  const paths = homePaths(root);
  return {
    scope: settings.name,
    paths,
    settings,
    node,
    nodes: [node],
    listen,
    ports: offsetPorts(settings),
    versions: machine.versions,
    programs: machine.programs,
    parameters: {
      ...postgresParameters(machine, settings),
      ...archiveParameters(machine.programs.pgbackrest, paths, settings),
    },
    repository: repositoryCapabilities(machine.versions.pgbackrest),
    pooler: poolerCapabilities(machine.versions.pgbouncer),
    certificateNames: certificateNames(settings, machine, listen),
  };
}

const nodeName = (hostname: string): string =>
  hostname
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, "-")
    .slice(0, 40) || "node";

function listenAddresses(settings: Settings, own: string[]): string[] {
  const { listen } = settings.network;
  if (Array.isArray(listen)) return listen;
  const loopback = ["127.0.0.1", "::1"];
  return listen === "loopback" ? loopback : [...loopback, ...own.filter(isPrivateAddress)];
}

function offsetPorts(settings: Settings): Ports {
  const { ports, port_offset } = settings.network;
  return Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, port + port_offset])) as Ports;
}

function certificateNames(settings: Settings, machine: MachineFacts, listen: string[]): Topology["certificateNames"] {
  const isAddress = (name: string) => /^[0-9.]+$/.test(name) || name.includes(":");
  const hosts = [settings.network.host, "localhost", machine.hostname].filter((name) => /^[A-Za-z0-9.:-]+$/.test(name));
  const ip = new Set(["127.0.0.1", "::1", ...listen, ...hosts.filter(isAddress)]);
  return { dns: [...new Set(hosts.filter((name) => !isAddress(name)))], ip: [...ip] };
}

/** Sockets are the fastest way, and closed to everybody but the engines' own user. */
export const postgresSocket = (topology: Topology): { directory: string; port: number } => ({
  directory: topology.paths.run,
  port: topology.ports.postgres,
});
