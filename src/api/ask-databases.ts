import { databaseList, type DatabaseSummary } from "../reports/databases.ts";
import { newestBackup } from "./ask-repositories.ts";
import type { Observed } from "./remembered.ts";
import type { Services } from "./services.ts";

/** Milliseconds for which a list is given again: a thousand databases cost the catalog some milliseconds each time. */
const LIST_FRESH = 1000;

/** Milliseconds that a list waits for what the repositories hold: the hub has it at hand. */
export const BACKUP_PATIENCE = 300;

/** Every database, as it was last seen. @throws HomelabError `engine_unreachable` where nothing was ever seen */
export const askDatabases = (
  services: Pick<Services, "remembered" | "site">,
  patience?: number,
): Promise<Observed<DatabaseSummary[]>> =>
  services.remembered.ask("databases", { freshFor: LIST_FRESH, patience }, async () =>
    databaseList(services.site, await newestBackup(services, BACKUP_PATIENCE)),
  );
