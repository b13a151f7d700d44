import { formatVersion } from "../cluster/versions.ts";
import type { HealthState } from "../core/health.ts";
import { freeBytes } from "../host/machine.ts";
import type { Journal } from "../journal/journal.ts";
import type { Site } from "../site/site.ts";
import type { DatabaseSummary } from "./databases.ts";
import type { HealthReport } from "./health.ts";

/** The whole in a few flat fields. */
export interface Summary {
  state: HealthState;
  says: string;
  databases: number | null;
  size_bytes: number | null;
  connections: number | null;
  disk_free_bytes: number;
  operations_running: number;
  operations_failed_24h: number;
  /** Of the newest backup that can be relied on. */
  last_backup_at: string | null;
  postgres_version: string;
}

/** What a summary is made of, where it was seen lately. */
export interface SummaryParts {
  health: HealthReport;
  /** Undefined while nobody has ever seen them. */
  databases: DatabaseSummary[] | undefined;
  lastBackupAt: string | null;
}

/** Answers "am I safe?" from the health report, the databases and the journal. */
export async function summary(
  site: Site,
  journal: Journal,
  { health, databases: list, lastBackupAt }: SummaryParts,
): Promise<Summary> {
  const sizes = list?.map((row) => row.size_bytes).filter((bytes) => bytes !== null) ?? [];
  const bad = health.checks.find((check) => check.state === health.state && check.state !== "ok");
  return {
    state: health.state,
    says: bad ? `${bad.name}: ${bad.says}` : "all is well",
    databases: list?.length ?? null,
    size_bytes: list && (sizes.length > 0 || list.length === 0) ? sizes.reduce((sum, bytes) => sum + bytes, 0) : null,
    connections: list?.reduce((sum, row) => sum + row.connections, 0) ?? null,
    disk_free_bytes: freeBytes(site.topology.paths.root),
    operations_running: await journal.count({ state: "running" }),
    operations_failed_24h: await failedLately(journal, site.clock.now() - 86_400_000),
    last_backup_at: lastBackupAt,
    postgres_version: formatVersion(site.topology.versions.postgresql),
  };
}

async function failedLately(journal: Journal, since: number): Promise<number> {
  const failed = await journal.list({ state: "failed", limit: 200 });
  return failed.filter((run) => Date.parse(run.createdAt) >= since).length;
}
