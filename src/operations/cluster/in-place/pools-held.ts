import { errorMessage } from "../../../core/errors.ts";
import { pausePools, resumePools } from "../../../engines/pgbouncer/client.ts";
import type { PoolerName } from "../../../engines/pgbouncer/config.ts";
import type { Site } from "../../../site/site.ts";
import { orAborted } from "../../deadline.ts";
import type { Bracket, Step } from "../../operation.ts";
import { OWN_LOGINS, sessionIfThere } from "./note-cluster.ts";

const POOLERS: PoolerName[] = ["pgbouncer", "pgbouncer-ro"];

/** Milliseconds that open transactions get to end. What they write is lost in any case, but they may end in peace. */
const PATIENCE = 3000;

const pauseAll = ({ topology }: Site): Promise<unknown> =>
  orAborted(Promise.all(POOLERS.map((name) => pausePools(topology, name))), AbortSignal.timeout(PATIENCE));

const APP_SESSIONS = `
  SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
  WHERE backend_type = 'client backend' AND usename <> ALL ($1)`;

/** New transactions wait; those that stay open are cut, since their cluster goes. */
async function hold(site: Site): Promise<void> {
  try {
    await pauseAll(site);
  } catch {
    await (await sessionIfThere(site))?.query(APP_SESSIONS, [OWN_LOGINS]).catch((error: unknown) => {
      // It may be going down itself; then it cuts them.
      if (!/terminat|shutting down|ended/i.test(errorMessage(error))) throw error;
    });
    await pauseAll(site);
  }
}

/** Clients of the pooled ports wait meanwhile, as long as their own patience and the pooler's reach. */
export function poolsHeld<In>(steps: Step<In>[]): Bracket<In> {
  return {
    kind: "bracket",
    name: "pools-held",
    enter: ({ site }) => hold(site),
    exit: async ({ site }) => {
      await Promise.all(POOLERS.map((name) => resumePools(site.topology, name)));
    },
    steps,
  };
}
