import { parseDuration } from "../../core/units.ts";
import { followLog, readLog, type LogFilter, type LoggedService } from "../../reports/logs.ts";
import type { Site } from "../../site/site.ts";
import type { Handlers, Message } from "../call.ts";
import type { healthContract } from "../contract/health.ts";
import type { Services } from "../services.ts";

type LogRoutes = Pick<typeof healthContract, "GET /api/logs/{service}" | "GET /api/logs/{service}/events">;

/** The services' logs. */
export function logHandlers({ site, topology }: Services): Handlers<LogRoutes> {
  return {
    "GET /api/logs/{service}": async ({ params: { service }, query: { since, ...filter } }) => {
      const { lines } = await readLog(topology.paths, service, { ...filter, from: startOf(site, since) });
      return { status: 200, body: { service, lines } };
    },
    "GET /api/logs/{service}/events": async ({
      params: { service },
      query: { since, ...filter },
      request,
      signal,
    }) => ({
      events: lineMessages(
        site,
        service,
        { ...filter, from: startOf(site, since) },
        request.headers["last-event-id"],
        signal,
      ),
    }),
  };
}

/** From when on lines are wanted. */
const startOf = ({ clock }: Site, since: string | undefined): number | undefined =>
  since === undefined ? undefined : clock.now() - parseDuration(since)! * 1000;

/** The end of a log, where that is wanted, and then its lines as they come; a place in the file tells where to go on. */
async function* lineMessages(
  { topology: { paths } }: Site,
  service: LoggedService,
  { level, tail, from }: LogFilter & { tail: number },
  lastSeen: string | string[] | undefined,
  signal: AbortSignal,
): AsyncGenerator<Message> {
  let start = lastSeen === undefined || !/^\d{1,15}$/.test(String(lastSeen)) ? undefined : Number(lastSeen);
  if (start === undefined && tail > 0) {
    const { lines, end } = await readLog(paths, service, { level, tail, from });
    start = end;
    for (const [i, data] of lines.entries())
      yield { ...(i === lines.length - 1 ? { id: String(end) } : {}), event: "line", data };
  }
  for await (const { end, ...data } of followLog(paths, service, { level, start }, signal))
    yield { ...(end === undefined ? {} : { id: String(end) }), event: "line", data };
}
