import type { Settings } from "../config/settings.ts";

/** What the machine has, as far as sizes depend on it. */
export interface MachineSize {
  memoryBytes: number;
  cores: number;
}

export type Parameters = Record<string, string | number | boolean>;

const MIB = 1024 * 1024;
const clamp = (value: number, low: number, high: number) => Math.round(Math.min(high, Math.max(low, value)));

/**
 * PostgreSQL's settings for a machine that also runs other things: an eighth of the memory for shared buffers, not the
 * quarter of a machine of its own (PostgreSQL manual, 20.4). Connections: the pooler's share for several
 * databases, and some for people and the platform.
 */
export function sizedParameters(machine: MachineSize, database: Settings["database"]): Parameters {
  const mib = machine.memoryBytes / MIB;
  const maxConnections = clamp(mib / 32, Math.max(100, database.max_db_connections + 25), 500);
  return {
    max_connections: maxConnections,
    shared_buffers: `${clamp(mib / 8, 64, 4096)}MB`,
    effective_cache_size: `${clamp(mib / 2, 256, 1024 * 1024)}MB`,
    work_mem: `${clamp(mib / (maxConnections * 4), 4, 64)}MB`,
    maintenance_work_mem: `${clamp(mib / 32, 64, 1024)}MB`,
    max_worker_processes: Math.max(8, machine.cores),
    max_parallel_workers: Math.max(2, machine.cores),
    max_parallel_workers_per_gather: clamp(machine.cores / 2, 1, 4),
  };
}

/** Our defaults that no machine changes; the reason of each stands beside it. */
const defaultParameters: Parameters = {
  checkpoint_timeout: "15min",
  max_wal_size: "2GB",
  min_wal_size: "128MB",
  // Between WAL and CPU, homelab disks lack the first.
  wal_compression: "lz4",
  random_page_cost: 1.1,
  // A slot that nobody reads must not fill the disk (GitLab and others lost a primary so).
  max_slot_wal_keep_size: "10GB",
  // A replica that was away for a coffee catches up without a new copy.
  wal_keep_size: "256MB",
  log_checkpoints: true,
  log_lock_waits: true,
  log_autovacuum_min_duration: "10s",
  log_temp_files: "100MB",
  idle_session_timeout: 0,
  tcp_keepalives_idle: 30,
  tcp_keepalives_interval: 5,
  tcp_keepalives_count: 3,
  // Plain text of a statement can hold what a person typed into it.
  log_min_duration_statement: -1,
  track_io_timing: true,
};

/** What no user's setting may change: the platform does not hold without it. */
export const forcedParameters: Parameters = {
  wal_level: "logical",
  hot_standby: true,
  wal_log_hints: true,
  max_wal_senders: 10,
  max_replication_slots: 10,
  max_prepared_transactions: 0,
  max_locks_per_transaction: 128,
  track_commit_timestamp: true,
  password_encryption: "scram-sha-256",
  // 1,055 databases: a crash restart takes 16 s with fsync, 0.6 s with syncfs (measured; PostgreSQL manual, 20.14).
  recovery_init_sync_method: "syncfs",
  fsync: true,
  full_page_writes: true,
};

/** Patroni keeps these in the DCS alone and ignores them elsewhere (Patroni manual, "Dynamic configuration settings"). */
export const dcsOnlyParameters = [
  "max_connections",
  "max_locks_per_transaction",
  "max_worker_processes",
  "max_prepared_transactions",
  "wal_level",
  "track_commit_timestamp",
] as const;

/** Default, then sized by the machine, then the user's, then forced. */
export function postgresParameters(machine: MachineSize, settings: Settings): Parameters {
  return {
    ...defaultParameters,
    ...sizedParameters(machine, settings.database),
    ...settings.postgres.extra,
    ...forcedParameters,
  };
}
