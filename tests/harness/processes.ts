import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { TestHome } from "./home.ts";

/** A process as /proc shows it (proc(5)). */
export interface ProcessView {
  pid: number;
  parent: number;
  /** Real, effective, saved and file-system user. */
  users: number[];
  command: string;
  environment: string;
  /** The effective capabilities, in hexadecimal. */
  capabilities: string;
}

const SERVICES = ["keeper", "agent", "etcd", "patroni", "haproxy", "pgbouncer", "pgbouncer-ro"];

/** Every process that can be seen now. */
export function allProcesses(): ProcessView[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => view(Number(name)))
    .filter((process) => process !== undefined);
}

function view(pid: number): ProcessView | undefined {
  try {
    const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, "utf8").replaceAll("\0", " ");
    const status = read("status");
    const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
    return {
      pid,
      parent: Number(field("PPid")),
      users: field("Uid").split(/\s+/).map(Number),
      command: read("cmdline"),
      environment: read("environ"),
      capabilities: field("CapEff"),
    };
  } catch {
    // It ended while it was looked at.
    return undefined;
  }
}

/** The processes of a home: its services, its PostgreSQL, and whatever they started. */
export async function processesOf(home: TestHome): Promise<ProcessView[]> {
  const pids = new Set<number>();
  for (const service of SERVICES) pids.add((await home.pid(service)) ?? 0);
  pids.add(Number(readFileSync(join(home.paths.postgresData, "postmaster.pid"), "utf8").split("\n")[0]));
  const all = allProcesses();
  for (let before = -1; before !== pids.size;) {
    before = pids.size;
    for (const { pid, parent } of all) if (pids.has(parent)) pids.add(pid);
  }
  return all.filter(({ pid }) => pids.has(pid));
}
