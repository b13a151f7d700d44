import { sleep } from "../core/clock.ts";
import { errorMessage, HomelabError } from "../core/errors.ts";
import type { PlatformDatabase } from "../store/database.ts";
import { migrate, schemaIdentity } from "../store/migrate.ts";
import type { HubLog } from "./log.ts";

/** Milliseconds between two looks: often until the schema is there, then now and then, since a database may be restored. */
const UNTIL_THERE = 300;
const NOW_AND_THEN = 5000;

/**
 * Keeps the platform database at the newest revision, whenever it comes or comes back older. `onChanged` is called when
 * it is there for the first time, and whenever it is another one than at the look before: one that was restored may
 * have been away for no longer than a moment (faults F82).
 */
export async function keepSchema(
  platform: PlatformDatabase,
  { log, signal, onChanged }: { log: HubLog; signal: AbortSignal; onChanged(): Promise<void> },
): Promise<void> {
  let said = "";
  let seen: string | undefined;
  while (!signal.aborted) {
    try {
      // Also when nothing is pending: a database that a newer version wrote is refused there.
      const applied = await migrate(platform);
      if (applied.length > 0) log.say("info", `platform database: ${applied.join(", ")}`);
      const identity = await schemaIdentity(platform);
      if (identity !== seen) await onChanged();
      seen = identity;
      said = "";
    } catch (error) {
      const says = errorMessage(error);
      const expected = error instanceof HomelabError && error.code === "platform_database_away" && seen === undefined;
      if (!expected && says !== said) log.say("warn", `platform database: ${says}`);
      said = says;
    }
    await sleep(seen === undefined ? UNTIL_THERE : NOW_AND_THEN, signal).catch(() => {});
  }
}
