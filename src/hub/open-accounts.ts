import { Accounts } from "../accounts/accounts.ts";
import type { Settings } from "../config/settings.ts";
import { systemClock } from "../core/clock.ts";
import { parseDuration } from "../core/units.ts";
import type { Site } from "../site/site.ts";
import type { PlatformDatabase } from "../store/database.ts";
import type { Spool } from "../store/spool.ts";
import type { HubLog } from "./log.ts";

/** What the accounts of a hub are kept in. */
export interface HubAccountsOptions {
  database: PlatformDatabase;
  spool: Spool;
  site: Site;
  settings: Settings["hub"];
  log: HubLog;
  /** The file of the snapshot. */
  snapshot: string;
}

/** Users, keys and sessions as the hub's settings want them. */
export const openAccounts = ({ site, settings, log, ...stores }: HubAccountsOptions): Promise<Accounts> =>
  Accounts.open({
    ...stores,
    clock: systemClock,
    onError: (error) => log.fault("accounts", error),
    dashboardKey: once(async () => (await site.secrets()).dashboard_api_key),
    policy: {
      idleSeconds: parseDuration(settings.session_idle)!,
      lifetimeSeconds: parseDuration(settings.session_lifetime)!,
    },
  });

/** Asks until there is an answer, and then no more: `up` starts the hub anew when the secrets have changed. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => {
    answer ??= ask().catch((error: unknown) => {
      answer = undefined;
      throw error;
    });
    return answer;
  };
}
