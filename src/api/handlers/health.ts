import { shownSettings } from "../../config/shown-settings.ts";
import { clusterStatus } from "../../reports/cluster-status.ts";
import { databaseStatus } from "../../reports/database-status.ts";
import { healthReport } from "../../reports/health.ts";
import { summary } from "../../reports/summary.ts";
import { timetable } from "../../reports/timetable.ts";
import { askDatabases } from "../ask-databases.ts";
import { askRepositories, newestBackup, SAMPLED } from "../ask-repositories.ts";
import type { Handlers } from "../call.ts";
import type { healthContract } from "../contract/health.ts";
import type { Services } from "../services.ts";
import { logHandlers } from "./logs.ts";

/** Milliseconds for which a report of the whole is given again: each look asks every engine. */
const HEALTH_FRESH = 2000;

/** Milliseconds that a summary waits for a new list of databases; an older one does as well. */
const LIST_PATIENCE = 300;

/** Milliseconds that a report of the whole waits for repositories that nobody has read yet. */
const REPOSITORY_PATIENCE = 5000;

/** Looking at the whole. */
export function healthHandlers(services: Services): Handlers<typeof healthContract> {
  const { site, journal, remembered } = services;
  const repositories = async () => {
    const { value: catalogues, observedAt } = await askRepositories(services, SAMPLED, REPOSITORY_PATIENCE);
    return { catalogues, observedAt };
  };
  const health = () => remembered.ask("health", { freshFor: HEALTH_FRESH }, () => healthReport(site, repositories));
  return {
    "GET /api/health": async () => {
      const { value, stale } = await health();
      return { status: 200, body: { ...value, stale } };
    },
    "GET /api/cluster": async () => {
      const look = () => clusterStatus(site);
      const { value, observedAt, stale } = await remembered.ask("cluster", { freshFor: 500 }, look);
      return { status: 200, body: { ...value, observed_at: observedAt, stale } };
    },
    "GET /api/summary": async () => {
      const databases = () => askDatabases(services, LIST_PATIENCE);
      const look = async () => {
        const [seen, list, newest] = await Promise.all([
          health(),
          databases().catch(() => undefined),
          newestBackup(services, LIST_PATIENCE),
        ]);
        const lastBackupAt = newest?.stoppedAt ?? null;
        const value = await summary(site, journal, { health: seen.value, databases: list?.value, lastBackupAt });
        return { ...value, stale: seen.stale || list?.stale !== false };
      };
      const { value, observedAt, stale } = await remembered.ask("summary", { freshFor: HEALTH_FRESH }, look);
      return { status: 200, body: { ...value, observed_at: observedAt, stale: stale || value.stale } };
    },
    "GET /api/database-status": async () => {
      const look = async () => {
        const [seen, found] = await Promise.all([health(), askRepositories(services, SAMPLED, REPOSITORY_PATIENCE)]);
        const list = await askDatabases(services, LIST_PATIENCE).catch(() => undefined);
        const plan = await timetable(site, journal, found.value);
        const value = databaseStatus(site, {
          health: seen.value,
          catalogues: found.value,
          timetable: plan,
          databases: list?.value,
        });
        return { ...value, stale: seen.stale || found.stale || list?.stale === true };
      };
      const { value, observedAt, stale } = await remembered.ask("summary/database", { freshFor: HEALTH_FRESH }, look);
      return { status: 200, body: { ...value, observed_at: observedAt, stale: stale || value.stale } };
    },
    "GET /api/hubs": async () => {
      const { leadership, version } = services;
      return { status: 200, body: { leads: leadership.isLeader, leader: leadership.leader()?.name ?? null, version } };
    },
    ...logHandlers(services),
    "GET /api/config": async () => {
      const values = shownSettings(services.settings).map(([setting, value]) => ({
        setting,
        value,
        origin: services.origins[setting] ?? "default",
      }));
      return { status: 200, body: { values } };
    },
    "GET /api/events": async ({ request, signal }) => {
      const last = request.headers["last-event-id"];
      return { events: services.feed.follow(typeof last === "string" ? last : undefined, signal) };
    },
  };
}
