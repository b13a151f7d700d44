import { existsSync } from "node:fs";
import { join } from "node:path";
import type { HomePaths } from "../cluster/home.ts";
import type { Ports } from "../cluster/topology.ts";
import { HomelabError } from "../core/errors.ts";
import { formatBytes } from "../core/units.ts";
import { readText } from "./files.ts";
import { distribution, freeBytes } from "./machine.ts";
import { commandOf, findProcess } from "./processes.ts";
import { holderOf, listeners } from "./ports.ts";

/** What a new installation needs at least; half of it is a fresh data directory with its WAL. */
const DISK_NEEDED = 2_000_000_000;
const MEMORY_NEEDED = 900_000_000;

/** Which of our services listens on a port. */
const SERVICE_OF: Record<keyof Ports, string> = {
  direct: "haproxy",
  direct_read_only: "haproxy",
  haproxy_stats: "haproxy",
  pooled: "pgbouncer",
  pooled_read_only: "pgbouncer-ro",
  postgres: "patroni",
  patroni: "patroni",
  etcd_client: "etcd",
  etcd_peer: "etcd",
  hub: "hub",
  hub_peer: "hub",
};

/** Refuses a system that the engines' packages are not made for. @throws HomelabError `machine_unsuitable` */
export function checkSystem(missing: string[]): void {
  const { id, release, name } = distribution();
  const supported = id === "debian" && release >= 12;
  if (supported || missing.length === 0) return;
  throw new HomelabError(
    "machine_unsuitable",
    `${name} is not Debian 12 or 13, and these packages are missing: ${missing.join(", ")}`,
    {
      hint: "Install them yourself and run homelab up again, or use Debian 12 or 13.",
    },
  );
}

/** Refuses too small a disk or memory. @throws HomelabError `machine_unsuitable` */
export function checkSize(home: string, memoryBytes: number): void {
  const free = freeBytes(home);
  if (free < DISK_NEEDED) {
    throw new HomelabError(
      "machine_unsuitable",
      `only ${formatBytes(free)} are free for ${home}, and ${formatBytes(DISK_NEEDED)} are needed`,
      {
        hint: "Free some space, or choose another place with --home.",
      },
    );
  }
  if (memoryBytes < MEMORY_NEEDED) {
    throw new HomelabError(
      "machine_unsuitable",
      `this machine has ${formatBytes(memoryBytes)} of memory, and 1 GB is needed`,
      {
        hint: "A smaller machine can be a witness for others, but not hold databases.",
      },
    );
  }
}

/** A data directory stays with its major version. @throws HomelabError `version_refused` */
export function chooseMajor(wanted: number | "auto", installed: number[], existing: number | undefined): number {
  const major = existing ?? (wanted === "auto" ? installed[0] : wanted);
  if (major !== undefined && installed.includes(major)) return major;
  const what = major === undefined ? "PostgreSQL" : `PostgreSQL ${major}`;
  throw new HomelabError(
    "version_refused",
    `${what} is not installed${existing ? ", and the data is of that version" : ""}`,
    {
      hint: `apt-get install postgresql-${major ?? ""}`.replace(/-$/, ""),
    },
  );
}

/**
 * Refuses ports that somebody else listens on, before anything is started.
 * @throws HomelabError `port_taken`, naming each port and, where it can be seen, who has it
 */
export async function checkPorts(paths: HomePaths, ports: Ports): Promise<void> {
  const all = listeners();
  const taken: string[] = [];
  for (const [name, port] of Object.entries(ports) as [keyof Ports, number][]) {
    const found = all.find((listener) => listener.port === port);
    if (!found || (await isOurs(paths, name))) continue;
    taken.push(`${port} (${name.replaceAll("_", " ")}) by ${holderOf(found.inode) ?? "another program"}`);
  }
  if (taken.length === 0) return;
  throw new HomelabError("port_taken", `taken: ${taken.join(", ")}`, {
    hint: "Stop that program, or move all of ours: homelab up --port-offset 10000",
  });
}

/** A PostgreSQL whose Patroni was killed is ours too. */
async function isOurs(paths: HomePaths, name: keyof Ports): Promise<boolean> {
  if (!existsSync(paths.run)) return false;
  if (await findProcess(paths.run, SERVICE_OF[name])) return true;
  const pid = Number((await readText(join(paths.postgresData, "postmaster.pid")))?.split("\n")[0]);
  return name === "postgres" && pid > 0 && commandOf(pid).includes(paths.postgresData);
}
