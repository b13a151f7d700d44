import { HomelabError } from "../../core/errors.ts";
import { didYouMean, printable } from "../../core/text.ts";
import { parseDuration } from "../../core/units.ts";
import type { Body, CallInput } from "../api/contract.ts";
import type { Context } from "../context.ts";

type Log = Body<"GET /api/logs/{service}">;
type Service = Log["service"];

const SERVICES: Service[] = [
  ...(["agent", "hub", "etcd", "patroni", "postgres", "haproxy"] as const),
  ...(["pgbouncer", "pgbouncer-ro", "pgbackrest", "archiving"] as const),
];

const LEVELS = ["info", "warn", "error"] as const;

/** The most lines that the API gives at once. */
const MOST = 5000;

interface LogFlags {
  follow?: boolean;
  since?: string;
  level?: string;
  tail?: number;
}

/** Prints a service's log; -f follows it. */
export async function logs(context: Context, name: string, flags: LogFlags): Promise<void> {
  const service = serviceOf(name);
  const query = queryOf(flags);
  if (flags.follow) return follow(context, service, query);
  const log = await (await context.api()).call("GET /api/logs/{service}", { params: { service }, query });
  if (context.flags.json) return context.out.json(log);
  for (const line of log.lines) print(context, line);
  if (log.lines.length === MOST)
    context.out.note(`These are the last ${MOST} lines: the files are in logs/ in the home.`);
}

async function follow(context: Context, service: Service, query: ReturnType<typeof queryOf>): Promise<void> {
  const forever = new AbortController().signal;
  const api = await context.api();
  for await (const { data } of api.events("GET /api/logs/{service}/events", { params: { service }, query }, forever))
    print(context, data as Log["lines"][number]);
}

/** A stream of JSON is a line for each. */
function print({ flags, out }: Context, line: Log["lines"][number]): void {
  out.line(flags.json ? JSON.stringify(line) : printable(line.line));
}

function serviceOf(name: string): Service {
  const service = SERVICES.find((known) => known === name);
  if (service) return service;
  const meant = didYouMean(name, SERVICES);
  throw new HomelabError("not_found", `there is no service ${printable(name)}`, {
    hint: meant ? `Did you mean ${meant}?` : `There are: ${SERVICES.join(", ")}`,
  });
}

/** With --since, everything from then on that the API gives; else the end. @throws HomelabError `usage` */
function queryOf({ since, level: named, tail }: LogFlags): NonNullable<CallInput<"GET /api/logs/{service}">["query"]> {
  const level = LEVELS.find((known) => known === named);
  if (since !== undefined && parseDuration(since) === undefined)
    throw new HomelabError("usage", `--since ${since}: expected a duration such as 30min or 1h`);
  if (named !== undefined && !level) throw new HomelabError("usage", `--level ${named}: expected info, warn or error`);
  return { since: since?.replaceAll(" ", ""), level, tail: Math.min(tail ?? (since === undefined ? 200 : MOST), MOST) };
}
