import { lastMoment } from "../config/schedule.ts";
import { worstState, type Health, type HealthState } from "../core/health.ts";
import { goodBackups, type RepositoryCatalogue } from "../site/backup-catalogue.ts";
import { lostGaps } from "../site/backup-retention.ts";
import type { Site } from "../site/site.ts";
import { gapInWords, isOff, schedulesOf, woundOf } from "../site/timetable.ts";
import { ago } from "./archiving.ts";
import { recoveryWindow } from "./backups.ts";

/** The repositories as they were seen last. */
export interface SeenRepositories {
  catalogues: RepositoryCatalogue[];
  /** RFC 3339. */
  observedAt: string;
}

interface Trouble {
  state: HealthState;
  says: string;
  hint: string;
}

/** Milliseconds that a backup may be late: it takes its time, and what failed is tried again first. */
const LATE = 90 * 60_000;

/** Milliseconds that a fresh installation is given for its first backup. */
const FIRST = 20 * 60_000;

/** Milliseconds after which what was seen is no answer any more. */
const OLD = 5 * 60_000;

/**
 * Whether there are backups that can be relied on, from all that the repositories show.
 * @param bootstrappedAt when the cluster was made, in milliseconds since 1970
 */
export function backupHealth(site: Site, { catalogues, observedAt }: SeenRepositories, bootstrappedAt: number): Health {
  const now = site.clock.now();
  if (now - Date.parse(observedAt) > OLD)
    return {
      state: "unknown",
      says: `the repositories have not answered since ${observedAt}`,
      hint: "homelab storage list shows them; homelab logs pgbackrest tells more.",
    };
  const troubles = [
    ...unreadable(catalogues),
    ...warnings(catalogues),
    ...catalogues.filter(({ trouble }) => !trouble).flatMap((each) => woundsOf(site, each)),
    ...lateness(site, catalogues, bootstrappedAt),
  ];
  const facts = factsOf(catalogues);
  if (troubles.length === 0) return { state: "ok", says: wellInWords(site, catalogues), facts };
  const state = worstState(troubles.map((each) => each.state));
  const worst = troubles.find((each) => each.state === state)!;
  const says = [worst, ...troubles.filter((each) => each !== worst)].map((each) => each.says).join("; ");
  return { state, says, facts, hint: worst.hint };
}

function unreadable(catalogues: RepositoryCatalogue[]): Trouble[] {
  const bad = catalogues.filter(({ trouble }) => trouble);
  const state = bad.length === catalogues.length ? "down" : "degraded";
  return bad.map(({ repository, trouble, hint }) => ({
    state,
    says: `the repository ${repository.name} cannot be read: ${trouble!.split("\n")[0]}`,
    hint: hint ?? "homelab storage list shows it; homelab logs pgbackrest tells more.",
  }));
}

/** What can be read and takes nothing any more, or soon will not. */
const warnings = (catalogues: RepositoryCatalogue[]): Trouble[] =>
  catalogues.flatMap(({ repository, warning, hint }) =>
    warning
      ? [{ state: "degraded", says: `${repository.name}: ${warning}`, hint: hint ?? "homelab storage list shows it." }]
      : [],
  );

/** What is broken and not healed by a newer full backup. What lies behind one is only told. */
function woundsOf({ topology }: Site, catalogue: RepositoryCatalogue): Trouble[] {
  const wound = woundOf(catalogue);
  if (!wound) return [];
  const isHealing = !isOff(schedulesOf(topology.settings));
  const good = goodBackups(catalogue).length > 0;
  return [
    {
      state: "down",
      says: `${catalogue.repository.name}: ${wound}${good ? ", and there is no full backup after it" : ""}`,
      hint: `${isHealing ? "A new full backup is begun by itself" : "Make a new full backup"}: homelab db backup full`,
    },
  ];
}

/** What should have been made and was not. */
function lateness(site: Site, catalogues: RepositoryCatalogue[], bootstrappedAt: number): Trouble[] {
  const now = site.clock.now();
  const schedules = schedulesOf(site.topology.settings);
  if (isOff(schedules)) return [];
  const hint = "homelab db backup makes one; homelab op list shows what became of the last.";
  return catalogues
    .filter(({ trouble, running }) => !trouble && !running)
    .flatMap((catalogue): Trouble[] => {
      const { name } = catalogue.repository;
      const last = goodBackups(catalogue).at(-1);
      if (!last)
        return now - bootstrappedAt > FIRST
          ? [{ state: "down", says: `${name} has no backup that can be relied on`, hint }]
          : [];
      const moments = Object.values(schedules).map((schedule) => lastMoment(schedule, now - LATE) ?? 0);
      const due = Math.max(...moments);
      if (Date.parse(last.startedAt) >= due || due < bootstrappedAt) return [];
      const says = `${name}: the last good backup is from ${last.stoppedAt}, and one was due at ${new Date(due).toISOString()}`;
      return [{ state: "degraded", says, hint }];
    });
}

function wellInWords(site: Site, catalogues: RepositoryCatalogue[]): string {
  const now = site.clock.now();
  const { last_backup_at: last, last_proven_at: proven } = recoveryWindow(catalogues);
  const none = isOff(schedulesOf(site.topology.settings)) ? "none is made by itself: off in the settings" : undefined;
  if (!last) return none ?? "the first one is being made";
  const gaps = catalogues.flatMap((each) => lostGaps(site, each)).map(gapInWords);
  return [
    `the last ${ago(last, now)}`,
    proven ? `proven ${ago(proven, now)}` : "not proven yet",
    ...(none ? [none] : []),
    ...gaps.map((gap) => `${gap}, before a newer full one`),
  ].join(", ");
}

function factsOf(catalogues: RepositoryCatalogue[]): NonNullable<Health["facts"]> {
  const { from, to, last_backup_at, last_proven_at } = recoveryWindow(catalogues);
  const unusable = catalogues.flatMap(({ repository, coverage }) =>
    [...coverage.unusable].map(([label, why]) => `${label}@${repository.name}: ${why}`),
  );
  return { recoverable_from: from, recoverable_to: to, last_backup_at, last_proven_at, unusable };
}
