import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { HomePaths } from "../cluster/home.ts";
import { sleep } from "../core/clock.ts";
import { currentLog, readableLine } from "../engines/logs.ts";

/** The services that write a log. Names from outside are compared with these and never become a path (faults S29). */
export const LOGGED_SERVICES = [
  "agent",
  "hub",
  "etcd",
  "patroni",
  "postgres",
  "haproxy",
  "pgbouncer",
  "pgbouncer-ro",
  "pgbackrest",
  "archiving",
] as const;

export type LoggedService = (typeof LOGGED_SERVICES)[number];

/** A line of a log, as a person reads it. */
export interface LogLine {
  time: string | null;
  line: string;
}

/** Which lines are wanted. */
export interface LogFilter {
  /** At most so many, from the end; all when it is left out. */
  tail?: number;
  /** Milliseconds since the epoch. */
  from?: number;
  level?: "info" | "warn" | "error";
}

/** What each engine calls its levels, from harmless to bad. */
const LEVELS: Record<string, RegExp> = {
  warn: /\b(warn|warning|error|err|fatal|panic|crit|alert|emerg)\b/i,
  error: /\b(error|err|fatal|panic|crit|alert|emerg)\b/i,
};

/** The end of a service's log, and where it ended. */
export async function readLog(
  paths: HomePaths,
  service: LoggedService,
  filter: LogFilter,
): Promise<{ lines: LogLine[]; end: number }> {
  const wanted = filterOf(filter);
  const lines: string[] = [];
  const keep = filter.tail ?? Infinity;
  const path = await currentLog(paths, service);
  const end = await readLines(path, 0, (line) => wanted(line) && lines.push(line) > keep && lines.shift());
  return { lines: lines.map(shown), end };
}

/** A line as it comes, and from where a follower who was cut off behind it goes on. */
export interface FollowedLine extends LogLine {
  end?: number;
}

/** A service's log as it grows, from its end on. */
export async function* followLog(
  paths: HomePaths,
  service: LoggedService,
  { level, start }: { level?: LogFilter["level"]; start?: number },
  signal: AbortSignal,
): AsyncGenerator<FollowedLine> {
  const wanted = filterOf({ level });
  const path = await currentLog(paths, service);
  let offset = start ?? (await sizeOf(path));
  while (!signal.aborted) {
    const size = await sizeOf(path);
    // Shorter than before: it was rotated.
    if (size < offset) offset = 0;
    const lines: string[] = [];
    if (size > offset) offset = await readLines(path, offset, (line) => wanted(line) && lines.push(line));
    for (const [i, line] of lines.entries())
      yield { ...shown(line), ...(i === lines.length - 1 ? { end: offset } : {}) };
    await sleep(250, signal).catch(() => {});
  }
}

const shown = (line: string): LogLine => ({ time: timeOf(line)?.toISOString() ?? null, line: readableLine(line) });

function filterOf({ from, level }: LogFilter): (line: string) => boolean {
  const fits = level === undefined ? undefined : LEVELS[level];
  let current = from === undefined;
  return (line) => {
    // A line without a time belongs to the one before it.
    const at = timeOf(line);
    if (from !== undefined && at) current = at.getTime() >= from;
    return current && (!fits || fits.test(line));
  };
}

/** The time at the beginning of a line, in any of the engines' forms; they all write UTC or say otherwise. */
function timeOf(line: string): Date | undefined {
  const match = /(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d+))?\s*(Z|UTC)?/.exec(line.slice(0, 80));
  if (!match) return undefined;
  // Patroni's and pgBackRest's lines are in the machine's time zone.
  const local = !match[4] && /^\d{4}-/.test(line) && (line.includes(",") || / P\d\d /.test(line.slice(0, 40)));
  const at = new Date(`${match[1]}T${match[2]}.${(match[3] ?? "0").slice(0, 3)}${local ? "" : "Z"}`);
  return Number.isNaN(at.getTime()) ? undefined : at;
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

/** Reads whole lines from an offset; answers where it ended. */
async function readLines(path: string, start: number, each: (line: string) => unknown): Promise<number> {
  const size = await sizeOf(path);
  if (size <= start) return start;
  for await (const line of createInterface({ input: createReadStream(path, { start, end: size - 1 }) })) each(line);
  return size;
}
