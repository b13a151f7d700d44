import { stat } from "node:fs/promises";
import { risksOf, formatVersion, type VersionRisk } from "../cluster/versions.ts";
import { worstState, type Health, type HealthState } from "../core/health.ts";
import { daysLeft } from "../engines/certificate-dates.ts";
import { etcdHealth } from "../engines/etcd/health.ts";
import { haproxyHealth } from "../engines/haproxy/health.ts";
import { patroniHealth } from "../engines/patroni/health.ts";
import { pgbouncerHealth } from "../engines/pgbouncer/health.ts";
import { postgresHealth } from "../engines/postgres/health.ts";
import { certificateFiles } from "../engines/tls.ts";
import { checkInTime, PART_PATIENCE } from "./in-time.ts";
import { readAgent } from "../host/agent-process.ts";
import { readText } from "../host/files.ts";
import type { Site } from "../site/site.ts";
import { archivingCheck } from "./archiving.ts";
import { backupHealth, type SeenRepositories } from "./backup-health.ts";
import { diskHealth } from "./disk-health.ts";
import { hubHealth } from "./hub-health.ts";
import { kitHealth } from "./kit-health.ts";

/** One check of the health report. */
interface HealthCheck extends Health {
  name: string;
}

/** The whole report; `state` is the worst of its checks. */
export interface HealthReport {
  state: HealthState;
  at: string;
  checks: HealthCheck[];
  /** Rows of the version table that hold here. */
  versions: (Pick<VersionRisk, "engine" | "says" | "source" | "effect"> & { installed: string; fixed_in: string })[];
}

/**
 * Asks every part at once and waits so many milliseconds for each; a check that cannot look says so and is never ok.
 * `repositories` answers what they showed last: reading them may take longer than a check is given.
 */
export async function healthReport(
  site: Site,
  repositories: () => Promise<SeenRepositories>,
  patience = PART_PATIENCE,
): Promise<HealthReport> {
  const { topology } = site;
  const named = async (name: string, check: Promise<Health>): Promise<HealthCheck> => ({
    name,
    ...(await checkInTime(check, patience)),
  });
  const checks = await Promise.all([
    named("agent", agentHealth(site)),
    named("hub", hubHealth(topology)),
    named("etcd", etcdHealth(topology)),
    named("patroni", patroniHealth(topology)),
    named("postgres", postgresHealth(site.postgres)),
    named("haproxy", haproxyHealth(topology)),
    named("pgbouncer", pgbouncerHealth(topology, "pgbouncer")),
    named("pgbouncer-ro", pgbouncerHealth(topology, "pgbouncer-ro")),
    named("archiving", archivingCheck(site)),
    named("backups", backupCheck(site, repositories)),
    named("disk", diskHealth(site)),
    named("certificates", certificateHealth(site)),
    named("versions", versionHealth(site)),
    named("recovery kit", kitHealth(site)),
  ]);
  const versions = risksOf(topology.versions, topology.nodes.length).map(({ engine, says, source, effect, below }) => ({
    engine,
    says,
    source,
    effect,
    installed: formatVersion(topology.versions[engine]),
    fixed_in: below,
  }));
  return {
    state: worstState(checks.map((check) => check.state)),
    at: new Date(site.clock.now()).toISOString(),
    checks,
    versions,
  };
}

async function agentHealth({ topology, clock }: Site): Promise<Health> {
  const agent = await readAgent(topology.paths);
  if (!agent?.alive)
    return {
      state: "degraded",
      says: "the agent does not run: nothing would be restarted",
      hint: "homelab up starts it.",
    };
  const hour = clock.now() - 3_600_000;
  const restarted = agent.state.services.filter(
    (service) => service.restarts > 0 && Date.parse(service.since ?? "") > hour,
  );
  const facts = {
    pid: agent.state.identity.pid,
    restarts: Object.fromEntries(agent.state.services.map((s) => [s.name, s.restarts])),
  };
  if (restarted.length === 0) return { state: "ok", says: `watches ${agent.state.services.length} services`, facts };
  return {
    state: "ok",
    says: `restarted ${restarted.map((s) => `${s.name} (${s.restarts} times)`).join(", ")} within the hour`,
    facts,
  };
}

async function backupCheck(site: Site, repositories: () => Promise<SeenRepositories>): Promise<Health> {
  const bootstrapped = await stat(site.topology.paths.bootstrapped).catch(() => undefined);
  return backupHealth(site, await repositories(), bootstrapped?.mtimeMs ?? site.clock.now());
}

async function certificateHealth({ topology, clock }: Site): Promise<Health> {
  const text = await readText(certificateFiles(topology.paths).cert);
  if (!text) return { state: "down", says: "there is no certificate", hint: "homelab up makes one." };
  const days = daysLeft(text, new Date(clock.now()));
  const state = days < 1 ? "down" : days < 30 ? "degraded" : "ok";
  return {
    state,
    says: `valid for ${days} days`,
    facts: { days_left: days },
    ...(days < 30 ? { hint: "homelab up renews it." } : {}),
  };
}

async function versionHealth({ topology }: Site): Promise<Health> {
  const risks = risksOf(topology.versions, topology.nodes.length);
  if (risks.length === 0) return { state: "ok", says: "no known trouble in these versions" };
  const engines = [...new Set(risks.map((risk) => `${risk.engine} ${formatVersion(topology.versions[risk.engine])}`))];
  // Known and shown, but no reason to wake anybody: what would lose data is refused before the start.
  return { state: "ok", says: `known limits of ${engines.join(", ")}`, hint: "homelab health --verbose lists them." };
}
