import { readFile } from "node:fs/promises";
import { currentLog, logTail } from "../engines/logs.ts";
import type { HomePaths } from "../cluster/home.ts";

/** The kernel's count of processes that it killed for want of memory (proc(5), /proc/vmstat: oom_kill). */
async function oomKills(): Promise<number> {
  const text = await readFile("/proc/vmstat", "utf8").catch(() => "");
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** Lines by which PostgreSQL says that one of its processes was killed from outside. */
const KILLED = /^.*process \(PID (\d+)\) was terminated by signal 9/gm;

/**
 * Tells a killed backend from a crash, and an out-of-memory kill from any other: PostgreSQL's log says which of its
 * processes was killed, the kernel's counter whether memory was the reason.
 */
export class OomWatch {
  /** The kernel's counts at the last two looks: it counts a kill a moment before PostgreSQL's log has its line. */
  #kills: number[] = [];
  readonly #seen = new Set<string>();

  /** What is new since the last look, as sentences; the first look only takes note. */
  async look(paths: HomePaths): Promise<string[]> {
    const kills = await oomKills();
    const before = this.#kills[0] ?? kills;
    const lines = [...(await logTail(await currentLog(paths, "postgres"), 65536)).matchAll(KILLED)].filter(
      (m) => !this.#seen.has(m[0]),
    );
    lines.forEach((m) => this.#seen.add(m[0]));
    const first = this.#kills.length === 0;
    this.#kills = [...this.#kills, kills].slice(-2);
    if (first) return [];
    const why =
      kills > before
        ? "OOM: the kernel killed it for want of memory"
        : "killed by signal 9 (not by the kernel's OOM killer)";
    return lines.map((m) => `backend ${m[1]} ${why}; PostgreSQL ended all sessions and recovered`);
  }
}
