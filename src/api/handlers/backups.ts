import { backupList, recoveryWindow } from "../../reports/backups.ts";
import { retentionPreview } from "../../reports/retention.ts";
import { timetable } from "../../reports/timetable.ts";
import { askRepositories } from "../ask-repositories.ts";
import type { Handlers } from "../call.ts";
import type { backupsContract } from "../contract/backups.ts";
import { paginate } from "../paging.ts";
import type { Services } from "../services.ts";

/** Milliseconds for which the repositories are not read again: each reading is two programs for each of them. */
const FRESH = 2000;

/** Backups, as the repositories have them. */
export function backupHandlers(services: Services): Handlers<typeof backupsContract> {
  const { site, journal, remembered } = services;
  const ask = () => askRepositories(services, FRESH);
  return {
    "GET /api/backups": async ({ query }) => {
      const { value, observedAt, stale } = await ask();
      return { status: 200, body: { ...paginate(backupList(value), query, "id"), observed_at: observedAt, stale } };
    },
    "GET /api/recovery-window": async () => {
      const { value, observedAt, stale } = await ask();
      return { status: 200, body: { ...recoveryWindow(value), observed_at: observedAt, stale } };
    },
    "GET /api/backups/retention": async () => {
      const { value, observedAt, stale } = await ask();
      return { status: 200, body: { ...retentionPreview(site, value), observed_at: observedAt, stale } };
    },
    "GET /api/backups/timetable": async () => {
      const look = async () => {
        const seen = await ask();
        return { ...(await timetable(site, journal, seen.value)), stale: seen.stale };
      };
      const { value, observedAt, stale } = await remembered.ask("repositories/timetable", { freshFor: FRESH }, look);
      return { status: 200, body: { ...value, observed_at: observedAt, stale: stale || value.stale } };
    },
  };
}
