/** The role that the pooler looks passwords up with; it can do nothing else. */
export const LOOKUP_ROLE = "pgbouncer_auth";

/** The pooler's own role for reading statistics over TCP. */
export const STATS_ROLE = "pgbouncer_stats";

/** The role that reports look with: pg_monitor, never a superuser (CVE-2026-44477). */
export const MONITOR_ROLE = "homelab_monitor";

/** The database that the platform keeps its own records in, and the role that owns it. */
export const PLATFORM_DATABASE = "homelab_jarvis";
export const PLATFORM_ROLE = "jarvis";
