import { databaseList, type DatabaseSummary } from "../reports/databases.ts";
import type { Observed } from "./remembered.ts";
import type { Services } from "./services.ts";

/** Milliseconds for which a list is given again: a thousand databases cost the catalog some milliseconds each time. */
const LIST_FRESH = 1000;

/** Every database, as it was last seen. @throws HomelabError `engine_unreachable` where nothing was ever seen */
export const askDatabases = (
  { remembered, site }: Pick<Services, "remembered" | "site">,
  patience?: number,
): Promise<Observed<DatabaseSummary[]>> =>
  remembered.ask("databases", { freshFor: LIST_FRESH, patience }, () => databaseList(site));
