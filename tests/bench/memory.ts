import { readFileSync, readdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { atMost, makeRow, type Bench, type Row } from "./bench.ts";
import type { BenchHome } from "./home.ts";

const OURS = ["agent", "keeper"];
const ENGINES = ["etcd", "patroni", "postgres", "haproxy", "pgbouncer", "pgbouncer-ro"];
const LOOKS = 5;

/** Megabytes of a process: shared pages whole (RSS), and shared out (PSS). */
interface Resident {
  rss: number;
  pss: number;
}

/** proc(5), smaps_rollup. */
function residentOf(pid: number): Resident {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)![1]) / 1024;
  return { rss: field("Rss"), pss: field("Pss") };
}

function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === pid;
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function pidsOf(home: BenchHome, service: string): Promise<number[]> {
  if (service === "postgres") {
    const postmaster = Number(readFileSync(`${home.test.paths.postgresData}/postmaster.pid`, "utf8").split("\n")[0]);
    return [postmaster, ...childrenOf(postmaster)];
  }
  const pid = await home.test.pid(service);
  if (pid === undefined) throw new Error(`${service} does not run`);
  return [pid];
}

const sum = (parts: Resident[]): Resident => ({
  rss: parts.reduce((total, { rss }) => total + rss, 0),
  pss: parts.reduce((total, { pss }) => total + pss, 0),
});

/** Every process of an idle home, a few times over a while. */
async function look(home: BenchHome): Promise<Map<string, Resident>> {
  const found = new Map<string, Resident>();
  for (const name of [...OURS, "hub", ...ENGINES]) found.set(name, sum((await pidsOf(home, name)).map(residentOf)));
  return found;
}

export const memory: Bench = {
  name: "memory",
  async measure({ home, say }): Promise<Row[]> {
    const bench = await home();
    const looks: Map<string, Resident>[] = [];
    say("waiting half a minute, so that it is idle");
    for (let i = 0; i < LOOKS; i++) {
      await delay(6000);
      looks.push(await look(bench));
    }
    const values = (names: string[], kind: keyof Resident) =>
      looks.map((found) => sum(names.map((n) => found.get(n)!))[kind]);
    const last = looks.at(-1)!;
    const list = (names: string[]) =>
      names.map((n) => `${n} ${last.get(n)!.rss.toFixed(1)} / ${last.get(n)!.pss.toFixed(1)}`).join(", ");
    return [
      makeRow(
        "resident memory of ours (RSS) / the engines'",
        "MB",
        { ours: values(OURS, "rss"), bare: values(ENGINES, "rss") },
        atMost(100, "MB"),
        `RSS / PSS in MB: ${list(OURS)}; ${list(ENGINES)} (postgres with all its processes; RSS counts shared pages each time)`,
      ),
      makeRow("resident memory of ours (PSS) / the engines'", "MB", {
        ours: values(OURS, "pss"),
        bare: values(ENGINES, "pss"),
      }),
      makeRow("resident memory of the hub (RSS)", "MB", { ours: values(["hub"], "rss") }),
    ];
  },
};
