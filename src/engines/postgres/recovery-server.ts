import { join } from "node:path";
import type { Parameters } from "../../cluster/sizing.ts";
import type { Topology } from "../../cluster/topology.ts";
import { cleanEnvironment } from "../../host/run.ts";
import { GENERATED, type RenderedFile } from "../engine.ts";

/**
 * PostgreSQL as it replays a restored cluster, before Patroni has it. Patroni's own way (`bootstrap.method`) lets every
 * user of the machine in as superuser meanwhile: it writes `trust` for 127.0.0.1 into pg_hba.conf (measured, 3.0.2). This
 * one listens on a socket in a closed folder alone, and wants the password there too.
 */

const folder = ({ paths }: Topology): string => join(paths.etc, "recovery");

/** The folder of its socket, closed to others; a short name, since a socket's path has 107 bytes at most (unix(7)). */
export const recoverySocketFolder = ({ paths }: Topology): string => join(paths.run, "rc");

/** Its log, and where the last transaction is told that was replayed. */
export const recoveryLogPath = ({ paths }: Topology): string => join(paths.logs, "recovery.log");

const configPath = (topology: Topology): string => join(folder(topology), "postgresql.conf");

/** The restored files name folders and ports of the machine that was lost: none of its own settings are read. */
export function renderRecoveryServer(topology: Topology): RenderedFile[] {
  const at = (name: string) => join(folder(topology), name);
  const parameters: Parameters = {
    ...topology.parameters,
    listen_addresses: "",
    unix_socket_directories: recoverySocketFolder(topology),
    unix_socket_permissions: "0700",
    port: topology.ports.postgres,
    hba_file: at("pg_hba.conf"),
    ident_file: at("pg_ident.conf"),
    ssl: "off",
    // Nobody looks before the end, and so a smaller machine than the lost one can replay its WAL.
    hot_standby: "off",
    autovacuum: "off",
    logging_collector: "off",
    log_destination: "stderr",
    log_line_prefix: "%m ",
    log_timezone: "UTC",
    lc_messages: "C",
  };
  const lines = Object.entries(parameters).map(([name, value]) => `${name} = ${quoted(value)}`);
  const file = (path: string, body: string): RenderedFile => ({
    path,
    content: `# ${GENERATED}\n${body}\n`,
    mode: 0o600,
    onChange: "restart",
  });
  return [
    file(configPath(topology), lines.join("\n")),
    file(at("pg_hba.conf"), "local all postgres scram-sha-256"),
    file(at("pg_ident.conf"), ""),
  ];
}

const quoted = (value: string | number | boolean): string => {
  const text = typeof value === "boolean" ? (value ? "on" : "off") : String(value);
  return `'${text.replace(/'/g, "''")}'`;
};

/** How it is started. `toTheEnd` takes the moment back at which replay should have stopped. */
export function recoveryServerCommand(topology: Topology, { toTheEnd }: { toTheEnd: boolean }) {
  const { programs, paths } = topology;
  const argv: [string, ...string[]] = [
    join(programs.postgresBin, "postgres"),
    "-D",
    paths.postgresData,
    "-c",
    `config_file=${configPath(topology)}`,
    ...(toTheEnd ? ["-c", "recovery_target_time="] : []),
  ];
  return { argv, env: cleanEnvironment(), cwd: paths.postgresData, log: recoveryLogPath(topology) };
}

/** What its log tells of one replay. */
export interface ReplayLog {
  /** All is replayed, and sessions are let in. */
  isReady: boolean;
  /** Segments that were fetched, and the last of them. */
  segments: number;
  lastSegment: string | undefined;
  /** When the last transaction that was replayed had been committed; undefined where there was none. */
  lastTransactionAt: string | undefined;
  /** Everything was replayed that there is, and the moment to stop at never came. */
  endedBeforeTarget: boolean;
  /** Why it gave up. */
  fatal: string | undefined;
}

/** Reads the log of one replay (messages of xlogrecovery.c, with lc_messages C). */
export function readReplayLog(text: string): ReplayLog {
  const restored = [...text.matchAll(/restored log file "([0-9A-F]{24})" from archive/g)];
  const last = [...text.matchAll(/last completed transaction was at log time ([0-9: .-]+)\+00$/gm)].at(-1);
  return {
    isReady: /database system is ready to accept connections/.test(text),
    segments: restored.length,
    lastSegment: restored.at(-1)?.[1],
    lastTransactionAt: last && new Date(`${last[1]!.trim().replace(" ", "T")}Z`).toISOString(),
    endedBeforeTarget: /recovery ended before configured recovery target was reached/.test(text),
    fatal: [...text.matchAll(/(?:FATAL|PANIC):\s+(.*)$/gm)].at(-1)?.[1],
  };
}
