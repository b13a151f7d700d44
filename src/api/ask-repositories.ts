import { readCatalogue, goodBackups, type RepositoryCatalogue } from "../site/backup-catalogue.ts";
import type { NewestBackup } from "../reports/databases.ts";
import type { Observed } from "./remembered.ts";
import type { Services } from "./services.ts";

/** Milliseconds for which what the repositories showed is good enough for a report on the whole. */
export const SAMPLED = 60_000;

/** The repositories as they were last seen; each look is two programs for each of them, and S3 may take seconds. */
export const askRepositories = (
  { remembered, site }: Pick<Services, "remembered" | "site">,
  freshFor: number,
  patience?: number,
): Promise<Observed<RepositoryCatalogue[]>> =>
  remembered.ask("repositories", { freshFor, patience }, () => readCatalogue(site));

/** The newest backup that can be relied on, from what is known without waiting long; undefined where nothing is. */
export async function newestBackup(
  services: Pick<Services, "remembered" | "site">,
  patience: number,
): Promise<NewestBackup> {
  const seen = await askRepositories(services, SAMPLED, patience).catch(() => undefined);
  return seen?.value
    .flatMap(goodBackups)
    .sort((a, b) => a.stoppedAt.localeCompare(b.stoppedAt))
    .at(-1);
}
