import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import { sleep } from "../../core/clock.ts";
import { HomelabError } from "../../core/errors.ts";
import { didYouMean, printable } from "../../core/text.ts";
import { parseDuration } from "../../core/units.ts";
import { currentLog, readableLine } from "../../engines/logs.ts";
import type { Context } from "../context.ts";

const SERVICES = ["agent", "etcd", "patroni", "postgres", "haproxy", "pgbouncer", "pgbouncer-ro"];

interface LogFlags {
  follow?: boolean;
  since?: string;
  level?: string;
  tail?: string;
}

/** What each engine calls its levels, from harmless to bad. */
const LEVELS: Record<string, RegExp> = {
  warn: /\b(warn|warning|error|err|fatal|panic|crit|alert|emerg)\b/i,
  error: /\b(error|err|fatal|panic|crit|alert|emerg)\b/i,
};

/** Prints a service's log; -f follows it. */
export async function logs(context: Context, service: string, flags: LogFlags): Promise<void> {
  if (!SERVICES.includes(service)) {
    const meant = didYouMean(service, SERVICES);
    throw new HomelabError("not_found", `there is no service ${service}`, {
      hint: meant ? `Did you mean ${meant}?` : `There are: ${SERVICES.join(", ")}`,
    });
  }
  const { topology } = await context.site();
  const path = await currentLog(topology.paths, service);
  const wanted = filter(flags);
  const lines: string[] = [];
  const keep = flags.since ? Infinity : Number(flags.tail ?? 200);
  let offset = await readLines(path, 0, (line) => wanted(line) && lines.push(line) > keep && lines.shift());
  for (const line of lines) print(context, service, line);
  while (flags.follow) {
    await sleep(250);
    const size = await stat(path).then(
      (found) => found.size,
      () => 0,
    );
    // Shorter than before: it was rotated.
    if (size < offset) offset = 0;
    if (size > offset) offset = await readLines(path, offset, (line) => wanted(line) && print(context, service, line));
  }
}

function print({ flags, out }: Context, service: string, line: string): void {
  if (flags.json)
    out.line(JSON.stringify({ service, time: timeOf(line)?.toISOString() ?? null, line: readableLine(line) }));
  else out.line(printable(readableLine(line)));
}

function filter(flags: LogFlags): (line: string) => boolean {
  const seconds = flags.since === undefined ? undefined : parseDuration(flags.since);
  if (flags.since !== undefined && seconds === undefined)
    throw new HomelabError("usage", `--since ${flags.since}: expected a duration such as 30min or 1h`);
  if (flags.level !== undefined && !LEVELS[flags.level] && flags.level !== "info")
    throw new HomelabError("usage", `--level ${flags.level}: expected info, warn or error`);
  const from = seconds === undefined ? undefined : Date.now() - seconds * 1000;
  const level = flags.level === undefined ? undefined : LEVELS[flags.level];
  let current = from === undefined;
  return (line) => {
    // A line without a time belongs to the one before it.
    const at = timeOf(line);
    if (from !== undefined && at) current = at.getTime() >= from;
    return current && (!level || level.test(line));
  };
}

/** The time at the beginning of a line, in any of the engines' forms; they all write UTC or say otherwise. */
function timeOf(line: string): Date | undefined {
  const match = /(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d+))?\s*(Z|UTC)?/.exec(line.slice(0, 80));
  if (!match) return undefined;
  const local = !match[4] && /^\d{4}-/.test(line) && line.includes(",");
  const at = new Date(`${match[1]}T${match[2]}.${(match[3] ?? "0").slice(0, 3)}${local ? "" : "Z"}`);
  return Number.isNaN(at.getTime()) ? undefined : at;
}

/** Reads whole lines from an offset; answers where it ended. */
async function readLines(path: string, start: number, each: (line: string) => unknown): Promise<number> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size <= start) return start;
  for await (const line of createInterface({ input: createReadStream(path, { start, end: size - 1 }) })) each(line);
  return size;
}
