/**
 * What a database's owner could set on our sessions is pinned at their start: startup options win over ALTER DATABASE
 * and ALTER ROLE (PostgreSQL manual, 20.1.3). Without this, a planted operator or a changed role would run as
 * superuser, and a library that does not exist, or an idle time of 1 ms, would lock us out.
 */
const PINNED: Record<string, string> = {
  search_path: "pg_catalog,pg_temp",
  role: "none",
  local_preload_libraries: "",
  statement_timeout: "10min",
  lock_timeout: "10s",
  idle_in_transaction_session_timeout: "1min",
  idle_session_timeout: "0",
  default_transaction_read_only: "off",
  default_transaction_deferrable: "off",
  default_transaction_isolation: "read\\ committed",
  row_security: "off",
  check_function_bodies: "on",
  standard_conforming_strings: "on",
  quote_all_identifiers: "off",
  transform_null_equals: "off",
  client_min_messages: "warning",
};

/** What only a superuser may set. */
const PINNED_FOR_SUPERUSER: Record<string, string> = {
  session_replication_role: "origin",
  // A statement that fails must not leave a verifier in the log.
  log_min_error_statement: "panic",
};

/** Who the session is for, and which of the pinned settings it needs otherwise. */
export interface PinnedFor {
  /** The server's version: PostgreSQL 17 brought `transaction_timeout`. */
  postgresql: number[];
  superuser: boolean;
  changed?: Record<string, string>;
}

/** The startup options of a session of the platform, as `options` and PGOPTIONS take them. */
export function pinnedOptions({ postgresql, superuser, changed }: PinnedFor): string {
  const settings = {
    ...PINNED,
    ...((postgresql[0] ?? 0) >= 17 ? { transaction_timeout: "0" } : {}),
    ...(superuser ? PINNED_FOR_SUPERUSER : {}),
    ...changed,
  };
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(" ");
}
