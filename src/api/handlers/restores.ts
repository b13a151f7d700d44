import { restoreList } from "../../reports/restores.ts";
import type { Handlers } from "../call.ts";
import type { restoresContract } from "../contract/restores.ts";
import { paginate } from "../paging.ts";
import type { Services } from "../services.ts";

/** Milliseconds for which the list is given again. */
const FRESH = 1000;

/** What restores left beside their databases. */
export function restoreHandlers({ site, remembered }: Services): Handlers<typeof restoresContract> {
  return {
    "GET /api/restores": async ({ query }) => {
      const ask = () => restoreList(site);
      const { value, observedAt, stale } = await remembered.ask("restores", { freshFor: FRESH }, ask);
      return { status: 200, body: { ...paginate(value, query, "name"), observed_at: observedAt, stale } };
    },
  };
}
