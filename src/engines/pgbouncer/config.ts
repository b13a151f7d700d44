import { join } from "node:path";
import type { Secrets } from "../../config/secrets.ts";
import { LOOKUP_ROLE, STATS_ROLE } from "../../cluster/platform-roles.ts";
import { postgresSocket, type Topology } from "../../cluster/topology.ts";
import { GENERATED, type RenderedFile } from "../engine.ts";
import { certificateFiles } from "../tls.ts";

/** Two poolers: what is pooled read-only is a process of its own, since PgBouncer listens on one port. */
export type PoolerName = "pgbouncer" | "pgbouncer-ro";

const LISTEN_PORT = { pgbouncer: "pooled", "pgbouncer-ro": "pooled_read_only" } as const;

/** Kept for the platform's own probes, so that 1,000 clients are really 1,000. */
const RESERVED_CLIENTS = 10;

export const poolerConfigPath = (topology: Topology, name: PoolerName): string =>
  join(topology.paths.etc, `${name}.ini`);
export const poolerPort = (topology: Topology, name: PoolerName): number => topology.ports[LISTEN_PORT[name]];
const listenPath = (topology: Topology, name: PoolerName): string => join(topology.paths.etc, `${name}-listen.ini`);
const hbaPath = (topology: Topology): string => join(topology.paths.etc, "pgbouncer_hba.conf");
const usersPath = (topology: Topology): string => join(topology.paths.etc, "pgbouncer_users.txt");

/** What a pooler reads at its start. */
export const poolerFiles = (topology: Topology, name: PoolerName): string[] => [
  poolerConfigPath(topology, name),
  listenPath(topology, name),
  hbaPath(topology),
  usersPath(topology),
  certificateFiles(topology.paths).cert,
];

/** Everything that both poolers read. A new database or role touches none of it. */
export function renderPgbouncer(topology: Topology, secrets: Secrets): RenderedFile[] {
  const poolers = (Object.keys(LISTEN_PORT) as PoolerName[]).flatMap((name) => [
    { path: poolerConfigPath(topology, name), content: poolerIni(topology, name) },
    // RELOAD does not touch what it listens on: a file of its own, since its change takes a restart.
    { path: listenPath(topology, name), content: listenIni(topology, name), onChange: "restart" as const },
  ]);
  const shared = [
    { path: hbaPath(topology), content: hba() },
    { path: usersPath(topology), content: users(secrets) },
  ];
  return [...poolers, ...shared].map((file) => ({ mode: 0o600, onChange: "reload", ...file }));
}

/** Plain text from this machine itself, TLS from everywhere else. */
function hba(): string {
  return [
    `# ${GENERATED}`,
    "local   all all             scram-sha-256",
    "host    all all 127.0.0.0/8 scram-sha-256",
    "host    all all ::1/128     scram-sha-256",
    "hostssl all all 0.0.0.0/0   scram-sha-256",
    "hostssl all all ::/0        scram-sha-256",
    "",
  ].join("\n");
}

function users(secrets: Secrets): string {
  const line = (user: string, password: string) => `${quoted(user)} ${quoted(password)}`;
  return `${line(LOOKUP_ROLE, secrets.pooler_auth.reveal())}\n${line(STATS_ROLE, secrets.pooler_stats.reveal())}\n`;
}

/** PgBouncer's quoting in the user list: a double quote is written twice (manual, "Authentication file format"). */
const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;

function poolerIni(topology: Topology, name: PoolerName): string {
  const { settings, paths, pooler } = topology;
  const socket = postgresSocket(topology);
  const tls = certificateFiles(paths);
  const { database } = settings;
  const defaults = {
    server_idle_timeout: 60,
    server_lifetime: 3600,
    // The next client waits one second after a failed login, not fifteen.
    server_login_retry: 1,
    server_fast_close: 1,
    autodb_idle_timeout: 3600,
    // An unknown database hangs this long on 1.18; 1.24 answers at once.
    query_wait_timeout: 15,
    ignore_startup_parameters:
      "extra_float_digits,search_path,statement_timeout,lock_timeout,idle_in_transaction_session_timeout",
    log_connections: 0,
    log_disconnections: 0,
    tcp_keepidle: 30,
    tcp_keepintvl: 5,
    tcp_keepcnt: 3,
    ...(pooler.preparedStatements ? { max_prepared_statements: 200 } : {}),
  };
  const forced = {
    auth_type: "hba",
    auth_hba_file: hbaPath(topology),
    auth_file: usersPath(topology),
    auth_query: "SELECT uname, phash FROM pgbouncer.user_lookup($1)",
    ...(pooler.authDbname ? { auth_dbname: "postgres" } : {}),
    // Nobody administers over TCP; over the socket our own system user may (PgBouncer manual, "admin_users").
    admin_users: "",
    stats_users: STATS_ROLE,
    pool_mode: "transaction",
    default_pool_size: database.default_pool_size,
    max_client_conn: database.max_client_conn + RESERVED_CLIENTS,
    max_db_connections: database.max_db_connections,
    client_tls_sslmode: "allow",
    client_tls_ca_file: tls.ca,
    client_tls_cert_file: tls.cert,
    client_tls_key_file: tls.key,
    client_tls_protocols: "secure",
  };
  const lines = Object.entries({ ...defaults, ...settings.pgbouncer.extra, ...forced }).map(
    ([key, value]) => `${key} = ${value}`,
  );
  return [
    `; ${GENERATED}`,
    "[databases]",
    // A template must stay free of connections: one idle session there blocks CREATE DATABASE.
    "template0 = host=127.0.0.1 port=1",
    "template1 = host=127.0.0.1 port=1",
    `* = host=${socket.directory} port=${socket.port} auth_user=${LOOKUP_ROLE}`,
    "[pgbouncer]",
    ...lines,
    // The last value counts: what it listens on was checked, and is not for pgbouncer.extra to change.
    `%include ${listenPath(topology, name)}`,
    "",
  ].join("\n");
}

function listenIni(topology: Topology, name: PoolerName): string {
  const lines = [
    `listen_addr = ${topology.listen.join(",")}`,
    `listen_port = ${poolerPort(topology, name)}`,
    `unix_socket_dir = ${topology.paths.run}`,
    "unix_socket_mode = 0700",
  ];
  return `; ${GENERATED}\n${lines.join("\n")}\n`;
}
