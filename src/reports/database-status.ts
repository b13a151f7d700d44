import { formatVersion } from "../cluster/versions.ts";
import type { Health } from "../core/health.ts";
import type { Repository } from "../config/storage.ts";
import { noteOf } from "../engines/pgbackrest/annotations.ts";
import { freeBytes } from "../host/machine.ts";
import { goodBackups, type RepositoryCatalogue } from "../site/backup-catalogue.ts";
import type { Site } from "../site/site.ts";
import { nextBackups, schedulesOf } from "../site/timetable.ts";
import { ago } from "./archiving.ts";
import { recoveryWindow } from "./backups.ts";
import type { DatabaseSummary } from "./databases.ts";
import type { HealthReport } from "./health.ts";
import type { Timetable } from "./timetable.ts";

/** What the screen is made of, where it was seen lately. */
export interface StatusParts {
  health: HealthReport;
  catalogues: RepositoryCatalogue[];
  timetable: Timetable;
  databases: DatabaseSummary[] | undefined;
}

/** One screen for whoever asks "is my data safe?". */
export function databaseStatus(site: Site, { health, catalogues, timetable, databases }: StatusParts) {
  const { topology } = site;
  const check = (name: string) => health.checks.find((each) => each.name === name);
  const troubles = health.checks
    .filter(({ state }) => state !== "ok")
    .map(({ name, state, says, hint }) => ({ name, state, says, ...(hint ? { hint } : {}) }));
  return {
    cluster: topology.scope,
    postgres_version: formatVersion(topology.versions.postgresql),
    state: health.state,
    troubles,
    recoverable: recoverable(site, catalogues),
    last_proven: lastProven(catalogues),
    archiving: archivingOf(check("archiving")),
    last_backup: lastBackup(catalogues),
    next_backup: nextBackup(site, timetable),
    repositories: catalogues.map(({ repository, trouble }) => ({
      name: repository.name,
      type: repository.type,
      free_bytes: freeIn(repository),
      trouble: trouble ?? null,
    })),
    nodes: [nodeOf(site, check("patroni"), check("postgres"))],
    databases: sizeOf(databases),
    pools: poolsOf(check("pgbouncer"), check("pgbouncer-ro")),
  };
}

/** The sentence that everything is about: until when, and how long ago that is. */
function recoverable(site: Site, catalogues: RepositoryCatalogue[]) {
  const { from, to } = recoveryWindow(catalogues);
  if (!from || !to) return null;
  return { from, to, says: `any second from ${from} to ${to} (${ago(to, site.clock.now())})` };
}

function lastProven(catalogues: RepositoryCatalogue[]) {
  const proven = catalogues
    .flatMap(({ backups }) => backups)
    .map((each) => ({ label: each.label, at: noteOf(each, "proven") }))
    .filter((each): each is { label: string; at: string } => each.at !== undefined)
    .sort((a, b) => a.at.localeCompare(b.at));
  return proven.at(-1) ?? null;
}

function lastBackup(catalogues: RepositoryCatalogue[]) {
  const last = catalogues
    .flatMap(goodBackups)
    .sort((a, b) => a.stoppedAt.localeCompare(b.stoppedAt))
    .at(-1);
  return last ? { label: last.label, type: last.type, at: last.stoppedAt } : null;
}

/** One that is due now comes first of all. */
function nextBackup({ topology, clock }: Site, { due }: Timetable) {
  const now = clock.now();
  if (due) return { type: due.type, at: due.not_before ?? new Date(now).toISOString() };
  const [next] = nextBackups(schedulesOf(topology.settings), now);
  return next ? { type: next.type, at: new Date(next.at).toISOString() } : null;
}

function archivingOf(check: Health | undefined) {
  if (!check?.facts) return null;
  const { last_segment, last_archived_at, waiting_segments, hours_left } = check.facts;
  return {
    state: check.state,
    says: check.says,
    last_segment: (last_segment ?? null) as string | null,
    last_archived_at: (last_archived_at ?? null) as string | null,
    waiting_segments: Number(waiting_segments ?? 0),
    hours_left: (hours_left ?? null) as number | null,
  };
}

/** What a disk has left; nobody knows it of a bucket. */
function freeIn(repository: Repository): number | null {
  if (repository.type !== "disk") return null;
  try {
    return freeBytes(repository.path);
  } catch {
    return null;
  }
}

function nodeOf({ topology }: Site, patroni: Health | undefined, postgres: Health | undefined) {
  const text = (value: unknown) => (typeof value === "string" ? value : null);
  const count = (value: unknown) => (typeof value === "number" ? value : null);
  return {
    name: topology.node.name,
    // Patroni before 4 has another word for it.
    role: text(patroni?.facts?.["role"])?.replace("master", "primary") ?? null,
    state: text(patroni?.facts?.["state"]),
    timeline: count(patroni?.facts?.["timeline"]),
    disk_free_bytes: freeBytes(topology.paths.root),
    connections: count(postgres?.facts?.["connections"]),
    max_connections: count(postgres?.facts?.["max_connections"]),
  };
}

function sizeOf(databases: DatabaseSummary[] | undefined) {
  if (!databases) return null;
  const sizes = databases.map(({ size_bytes: bytes }) => bytes).filter((bytes) => bytes !== null);
  const isKnown = sizes.length > 0 || databases.length === 0;
  return { count: databases.length, size_bytes: isKnown ? sizes.reduce((sum, bytes) => sum + bytes, 0) : null };
}

function poolsOf(...checks: (Health | undefined)[]) {
  const facts = checks.map((check) => check?.facts).filter((each) => each !== undefined);
  if (facts.length === 0) return null;
  const sum = (key: string) => facts.reduce((total, each) => total + Number(each[key] ?? 0), 0);
  return { clients: sum("clients"), waiting: sum("waiting") };
}
