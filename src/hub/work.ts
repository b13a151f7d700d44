import type { Accounts } from "../accounts/accounts.ts";
import type { Services } from "../api/services.ts";
import type { MirroredJournal } from "../journal/mirrored.ts";
import { repeat, type Tell } from "../operations/chores.ts";
import type { PlatformDatabase } from "../store/database.ts";
import type { Benches } from "./benches.ts";
import { hubChores } from "./chores.ts";
import { feedRuns } from "./feed-runs.ts";
import type { Leadership } from "./leadership.ts";
import type { HubLog } from "./log.ts";
import { keepSchema } from "./schema.ts";

/** What a hub's own work needs beside its services. */
export interface WorkParts {
  leadership: Leadership;
  platform: PlatformDatabase;
  journal: MirroredJournal;
  accounts: Accounts;
  answers: { removeExpired(): Promise<number> };
  benches: Benches;
  log: HubLog;
}

/** What a hub does by itself, until it is told to end. */
export function beginWork(services: Services, parts: WorkParts): { end(): Promise<void> } {
  const { leadership, platform, log } = parts;
  const ending = new AbortController();
  const tell: Tell = (name, says, level) => log.say(level, `${name}: ${says}`);
  announce(services, parts);
  leadership.start();
  const loops = [
    keepSchema(platform, { log, signal: ending.signal, onChanged: () => lookAgain(parts) }),
    feedRuns(services.journal, services.feed, ending.signal),
    ...choresOf(services, parts, tell).map((chore) => repeat(chore, ending.signal, tell)),
  ];
  return {
    async end() {
      ending.abort();
      await Promise.race([Promise.allSettled(loops), new Promise((resolve) => setTimeout(resolve, 3000))]);
    },
  };
}

/** What the platform database held so far it may hold no more. */
async function lookAgain({ accounts, journal }: WorkParts): Promise<void> {
  journal.doubt();
  await accounts.refresh();
}

function choresOf({ site }: Services, parts: WorkParts, tell: Tell) {
  const { leadership, journal, accounts, answers, benches } = parts;
  return hubChores(
    {
      ...{ site, leadership, journal },
      takeBench: () => benches.take(),
      drains: { audit: () => accounts.audit.drain() },
      purges: { answers: () => answers.removeExpired() },
    },
    tell,
  );
}

/** Tells the log, the followers and the numbers what changes. */
function announce({ desk, metrics, remembered }: Services, { leadership, journal, log }: WorkParts): void {
  leadership.onChange(() => log.say("info", `leads: ${leadership.leader()?.name ?? "nobody"}`));
  desk.onEnd(() => {
    for (const what of ["databases", "cluster", "summary"]) remembered.forget(what);
  });
  metrics.gauge("leader", "Whether this hub leads", () => (leadership.isLeader ? 1 : 0));
  metrics.gauge("platform_database_up", "Whether operations reach the platform database", () =>
    journal.isAlone ? 0 : 1,
  );
  metrics.gauge("process_resident_memory_bytes", "Memory of the hub", () => process.memoryUsage.rss());
}
