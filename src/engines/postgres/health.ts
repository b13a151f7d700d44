import { errorMessage } from "../../core/errors.ts";
import type { Health } from "../../core/health.ts";
import type { PostgresSessions } from "./sessions.ts";

/** Whether PostgreSQL answers, takes writes, and has connections to spare. */
export async function postgresHealth(sessions: () => Promise<PostgresSessions>): Promise<Health> {
  try {
    const session = await (await sessions()).monitor();
    const [row] = await session.query<{
      used: number;
      most: number;
      recovering: boolean;
      checksums: string;
      started: string;
    }>(
      `SELECT (SELECT count(*)::int FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend') AS used,
              pg_catalog.current_setting('max_connections')::int AS most, pg_catalog.pg_is_in_recovery() AS recovering,
              pg_catalog.current_setting('data_checksums') AS checksums, pg_catalog.pg_postmaster_start_time()::text AS started`,
    );
    const { used, most, recovering, checksums, started } = row!;
    const facts = { connections: used, max_connections: most, recovering, checksums, started };
    const says = `${used} of ${most} connections`;
    if (recovering) return { state: "degraded", says: "in recovery: reads only", facts };
    if (used > most * 0.9)
      return { state: "degraded", says, facts, hint: "Use pooled URLs: homelab db url <name> --pooled" };
    return { state: "ok", says, facts };
  } catch (error) {
    return { state: "down", says: errorMessage(error), hint: "homelab logs postgres shows why." };
  }
}
