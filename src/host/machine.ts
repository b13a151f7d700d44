import { existsSync, readFileSync, readdirSync, statfsSync } from "node:fs";
import { availableParallelism, hostname, networkInterfaces, totalmem } from "node:os";
import { dirname } from "node:path";
import { parseVersion, type EngineName, type EngineVersions } from "../cluster/versions.ts";
import type { MachineFacts } from "../cluster/topology.ts";
import { runAny } from "./run.ts";

/** Debian's packages that the engines come from, and the engine that each brings. */
export const PACKAGES: Record<string, EngineName | undefined> = {
  "etcd-server": "etcd",
  "etcd-client": undefined,
  patroni: "patroni",
  // Patroni's way to etcd, and to etcd over TLS: Debian leaves both out of what Patroni must have.
  "python3-etcd": undefined,
  "python3-idna": undefined,
  postgresql: undefined,
  pgbouncer: "pgbouncer",
  pgbackrest: "pgbackrest",
  haproxy: "haproxy",
};

/** The distribution's name and release (`debian`, 12), from os-release(5). */
export function distribution(): { id: string; release: number; name: string } {
  const text = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  const field = (key: string) => new RegExp(`^${key}="?([^"\n]*)`, "m").exec(text)?.[1] ?? "";
  return {
    id: field("ID"),
    release: Number(field("VERSION_ID")) || 0,
    name: field("PRETTY_NAME") || "an unknown system",
  };
}

/** The packages that are not installed here. */
export async function missingPackages(): Promise<string[]> {
  const installed = await installedPackages(Object.keys(PACKAGES));
  return Object.keys(PACKAGES).filter((name) => !installed.has(name));
}

/** Installed packages and their versions, as dpkg knows them. */
async function installedPackages(names: string[]): Promise<Map<string, string>> {
  const format = "${Package}\t${Version}\t${db:Status-Status}\n";
  const { stdout } = await runAny({ argv: ["dpkg-query", "-W", "-f", format, ...names], timeout: 20 });
  const rows = stdout.split("\n").map((line) => line.split("\t"));
  return new Map(rows.filter((row) => row[2] === "installed").map((row) => [row[0]!, row[1]!]));
}

/** The majors of PostgreSQL whose server is installed, newest first. */
export function postgresMajors(): number[] {
  const root = "/usr/lib/postgresql";
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .filter((name) => /^\d+$/.test(name) && existsSync(`${root}/${name}/bin/postgres`))
    .map(Number)
    .sort((a, b) => b - a);
}

/** The bytes that are free for us where `path` is, or will be. */
export function freeBytes(path: string): number {
  let at = path;
  while (!existsSync(at)) at = dirname(at);
  const { bavail, bsize } = statfsSync(at);
  return bavail * bsize;
}

/** The machine's own addresses, without loopback and link-local ones. */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
    .map(({ address }) => address);
}

/** The memory that we may use: a container's limit counts, where it has one. */
function memoryLimit(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** Looks the machine over: size, addresses, and the engines with their versions. `major` is PostgreSQL's. */
export async function machineFacts(major: number): Promise<MachineFacts> {
  const packages = Object.keys(PACKAGES).filter((name) => PACKAGES[name]);
  const installed = await installedPackages([...packages, `postgresql-${major}`]);
  const versions = Object.fromEntries(
    packages.map((name) => [PACKAGES[name]!, parseVersion(installed.get(name) ?? "")]),
  );
  versions["postgresql"] = parseVersion(installed.get(`postgresql-${major}`) ?? String(major || ""));
  return {
    memoryBytes: memoryLimit(),
    cores: availableParallelism(),
    hostname: hostname(),
    addresses: ownAddresses(),
    versions: versions as EngineVersions,
    programs: {
      etcd: "/usr/bin/etcd",
      patroni: "/usr/bin/patroni",
      pgbouncer: "/usr/sbin/pgbouncer",
      haproxy: "/usr/sbin/haproxy",
      pgbackrest: "/usr/bin/pgbackrest",
      postgresBin: `/usr/lib/postgresql/${major}/bin`,
    },
  };
}
