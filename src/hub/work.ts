import { askRepositories, SAMPLED } from "../api/ask-repositories.ts";
import type { Accounts } from "../accounts/accounts.ts";
import type { Services } from "../api/services.ts";
import { HomelabError } from "../core/errors.ts";
import type { MirroredJournal } from "../journal/mirrored.ts";
import { repeat, type Tell } from "../operations/chores.ts";
import { keepProofs, keepTimetable } from "../operations/backup/keep-timetable.ts";
import { keepDumps } from "../operations/database/keep-dumps.ts";
import type { Runner } from "../operations/runner.ts";
import type { PlatformDatabase } from "../store/database.ts";
import { BackupNumbers } from "./backup-numbers.ts";
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

/** Milliseconds that nobody but a chore waits for the repositories: one in trouble is given up by itself before. */
const UNHURRIED = 200_000;

/** S3 servers count requests, and a week of WAL takes ten for each listing: there, once a minute is enough. */
const areAllHere = async (site: Services["site"]): Promise<boolean> =>
  (await site.storage()).repositories.every(({ type }) => type === "disk");

function choresOf(services: Services, parts: WorkParts, tell: Tell) {
  const { site, remembered } = services;
  const { leadership, journal, accounts, answers, benches } = parts;
  const numbers = new BackupNumbers(services);
  const repositories = async (now: boolean) => {
    const { value, stale } = await askRepositories(services, now ? 0 : SAMPLED, UNHURRIED);
    if (!stale) return value;
    // Nothing is to be begun by what was seen before.
    throw new HomelabError("engine_unreachable", "the repositories do not answer");
  };
  const startedBy = async (keep: typeof keepTimetable, runner: Runner) => {
    const did = await keep({ site, journal, catalogues: repositories }, runner);
    if (did.length > 0) for (const what of ["repositories", "summary", "health"]) remembered.forget(what);
    return did;
  };
  return hubChores(
    {
      ...{ site, leadership, journal },
      takeBench: () => benches.take(),
      drains: { audit: () => accounts.audit.drain() },
      purges: { answers: () => answers.removeExpired() },
      keepTimetable: async (runner) => [
        ...(await startedBy(keepTimetable, runner)),
        ...(await keepDumps({ site, journal }, runner)),
      ],
      keepProofs: (runner) => startedBy(keepProofs, runner),
      sampleBackups: async () => numbers.take(await repositories(await areAllHere(site))),
    },
    tell,
  );
}

/** Operations that change one database, and no repository. */
const OF_DATABASES = /^(database|service)\.(?!.*restore)/;

/** Tells the log, the followers and the numbers what changes. */
function announce({ desk, metrics, remembered }: Services, { leadership, journal, log }: WorkParts): void {
  leadership.onChange(() => log.say("info", `leads: ${leadership.leader()?.name ?? "nobody"}`));
  desk.onEnd((operation) => {
    for (const what of ["databases", "cluster", "summary", "backups", "restores"]) remembered.forget(what);
    // Reading the repositories again is dear: only after what may have changed them.
    if (!OF_DATABASES.test(operation)) remembered.forget("repositories");
  });
  metrics.gauge("leader", "Whether this hub leads", () => (leadership.isLeader ? 1 : 0));
  metrics.gauge("platform_database_up", "Whether operations reach the platform database", () =>
    journal.isAlone ? 0 : 1,
  );
  metrics.gauge("process_resident_memory_bytes", "Memory of the hub", () => process.memoryUsage.rss());
}
