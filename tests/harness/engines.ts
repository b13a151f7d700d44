import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { homePaths } from "../../src/cluster/home.ts";
import { readText } from "../../src/host/files.ts";
import { commandOf, startTicksOf } from "../../src/host/processes.ts";

const pids = (): number[] => readdirSync("/proc").map(Number).filter(Number.isInteger);

/** A process's working folder; empty when it is gone, or not ours to look into. */
function folderOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}

/**
 * Every live process of a home: its command names the home, or it works in a folder of it, as PostgreSQL's own
 * processes do, whose commands are only titles.
 */
export function pidsOf(root: string): number[] {
  const within = (text: string) => text.includes(`${root}/`) || text.endsWith(root) || text.includes(`${root} `);
  return pids().filter(
    (pid) =>
      pid !== process.pid && startTicksOf(pid) !== undefined && (within(commandOf(pid)) || within(folderOf(pid))),
  );
}

/** The processes whose parent this one is (proc(5), /proc/<pid>/stat, field 4). */
export function childrenOf(parent: number): number[] {
  const parentOf = (pid: number) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    } catch {
      return 0;
    }
  };
  return pids().filter((pid) => parentOf(pid) === parent);
}

/** The pid of a home's postmaster, if it lives. */
export async function postmasterPid(root: string): Promise<number | undefined> {
  const pid = Number((await readText(join(homePaths(root).postgresData, "postmaster.pid")))?.split("\n")[0]);
  return pid > 0 && startTicksOf(pid) !== undefined ? pid : undefined;
}
