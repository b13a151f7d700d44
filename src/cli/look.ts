import { sleep } from "../core/clock.ts";
import { HomelabError } from "../core/errors.ts";
import type { HealthState } from "../core/health.ts";
import type { Body } from "./api/contract.ts";
import type { Context } from "./context.ts";

/** Milliseconds that a person gives a look at everything. The hub gives a page one, and what it saw before. */
const PATIENCE = 15_000;

/** A report on the whole as it is now: asked again while the hub has only an older one, or none yet. */
export async function lookAt<
  K extends
    | "GET /api/cluster"
    | "GET /api/health"
    | "GET /api/database-status"
    | "GET /api/backups"
    | "GET /api/backups/retention"
    | "GET /api/backups/timetable"
    | "GET /api/recovery-window"
    | "GET /api/storage",
>(context: Context, route: K): Promise<Body<K>> {
  const api = await context.api();
  const end = Date.now() + PATIENCE;
  for (;;) {
    const isLate = Date.now() >= end;
    try {
      const seen = (await api.call(route, {} as never)) as Body<K> & { stale: boolean };
      if (!seen.stale || isLate) return seen;
    } catch (error) {
      if (isLate || !(error instanceof HomelabError) || error.code !== "engine_unreachable") throw error;
    }
    await sleep(100);
  }
}

/** What an old report says of now: that all was well is not that it is. */
export const stateNow = ({ state, stale }: { state: HealthState; stale: boolean }): HealthState =>
  stale && state === "ok" ? "unknown" : state;
