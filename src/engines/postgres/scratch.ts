import { userInfo } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { sleep } from "../../core/clock.ts";
import { errorMessage, HomelabError } from "../../core/errors.ts";
import type { Parameters } from "../../cluster/sizing.ts";
import type { Topology } from "../../cluster/topology.ts";
import { readText, remove, writeAtomic } from "../../host/files.ts";
import {
  commandOf,
  endProcess,
  findProcess,
  identify,
  startProcess,
  type ProcessIdentity,
} from "../../host/processes.ts";
import { cleanEnvironment } from "../../host/run.ts";
import { pinnedOptions } from "./pinned.ts";
import type { Session } from "./sessions.ts";

/**
 * A PostgreSQL that runs for a while beside the cluster, on a data directory that was restored. Nobody but the home's
 * owner gets in, by a socket in a folder of its own; nothing that it writes is to be kept.
 */
export interface ScratchServer {
  /** Everything of it but the socket is below this folder. */
  folder: string;
  data: string;
  /** A folder with a short name: a socket's path has 107 bytes at most (unix(7)). */
  socket: string;
  log: string;
}

/** What one may be given more or less of. */
export interface ScratchLimits {
  /** shared_buffers, as PostgreSQL writes it. */
  sharedBuffers?: string;
  /** nice(1): 0 to 19, where 19 yields to everybody. */
  niceness?: number;
}

/** Its port is part of the socket's name, and no more than that: it listens on no address. */
export const SCRATCH_PORT = 1;

const NAME = "postgres";

/** Libraries that begin to act by themselves wherever they are loaded. */
const ACTS = new Set(["pg_cron", "pg_partman_bgw", "pg_squeeze", "pglogical", "bdr", "powa"]);

const preloaded = ({ parameters }: Topology): string =>
  String(parameters["shared_preload_libraries"] ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "" && !ACTS.has(name))
    .join(",");

/**
 * Its settings: none of the live cluster's, whose port, sockets, logs and archive_command are in the restored files.
 * Without hot_standby, none has to be as high as the primary's was, and recovery never waits for somebody to raise one.
 */
function parametersOf(topology: Topology, server: ScratchServer, limits: ScratchLimits): Parameters {
  return {
    listen_addresses: "",
    port: SCRATCH_PORT,
    unix_socket_directories: server.socket,
    unix_socket_permissions: "0700",
    hba_file: join(server.folder, "pg_hba.conf"),
    ident_file: join(server.folder, "pg_ident.conf"),
    ssl: "off",
    archive_mode: "off",
    hot_standby: "off",
    wal_level: "minimal",
    max_wal_senders: 0,
    max_connections: 20,
    // pg_dump locks every table at once.
    max_locks_per_transaction: 2048,
    max_prepared_transactions: topology.parameters["max_prepared_transactions"] ?? 0,
    max_worker_processes: 8,
    // A subscription in the restored catalog must not take from the live one.
    max_logical_replication_workers: 0,
    shared_preload_libraries: preloaded(topology),
    "timescaledb.max_background_workers": 0,
    shared_buffers: limits.sharedBuffers ?? "128MB",
    maintenance_work_mem: "64MB",
    huge_pages: "off",
    jit: "off",
    autovacuum: "off",
    // Whatever becomes of the machine, it is restored again from the beginning.
    fsync: "off",
    full_page_writes: "off",
    synchronous_commit: "off",
    max_wal_size: "1GB",
    track_commit_timestamp: "on",
    logging_collector: "off",
    log_destination: "stderr",
    log_min_messages: "warning",
    log_timezone: "UTC",
    timezone: "UTC",
    lc_messages: "C",
  };
}

/** A value of postgresql.conf (PostgreSQL manual, 20.1.2). */
const confValue = (value: Parameters[string]): string => `'${String(value).replace(/[\\']/g, "$&$&")}'`;

const conf = (parameters: Parameters): string =>
  Object.entries(parameters)
    .map(([name, value]) => `${name} = ${confValue(value)}\n`)
    .join("");

/** Writes what it is started with. `recovery` replaces whatever ALTER SYSTEM had set in the cluster. */
export async function writeScratchFiles(
  topology: Topology,
  server: ScratchServer,
  recovery: Parameters,
  limits: ScratchLimits = {},
): Promise<void> {
  const owner = userInfo().username;
  await writeAtomic(join(server.folder, "postgresql.conf"), conf(parametersOf(topology, server, limits)));
  // The passwords in the restored catalog are those of back then; who the kernel says is us is the superuser.
  await writeAtomic(join(server.folder, "pg_hba.conf"), "local all postgres peer map=scratch\n");
  await writeAtomic(join(server.folder, "pg_ident.conf"), `scratch "${owner.replaceAll('"', '""')}" postgres\n`);
  await writeRecovery(server, recovery);
}

/** Changes how far it replays; taken at its next start. */
export const writeRecovery = (server: ScratchServer, recovery: Parameters): Promise<void> =>
  writeAtomic(join(server.data, "postgresql.auto.conf"), conf(recovery));

/** The running server, also when whoever started it died before the pid was noted. */
export async function findScratchServer(server: ScratchServer): Promise<ProcessIdentity | undefined> {
  const noted = await findProcess(server.folder, NAME);
  if (noted) return noted;
  const pid = Number((await readText(join(server.data, "postmaster.pid")))?.split("\n")[0]);
  return pid > 0 && commandOf(pid).includes(server.data) ? identify(pid) : undefined;
}

/** Starts it, unless it runs. */
export async function startScratchServer(
  topology: Topology,
  server: ScratchServer,
  { niceness }: ScratchLimits = {},
): Promise<void> {
  if (await findScratchServer(server)) return;
  // What a start before this one said must not be taken for this one's.
  await remove(server.log);
  const postgres = join(topology.programs.postgresBin, "postgres");
  const words = [postgres, "-D", server.data, "-c", `config_file=${join(server.folder, "postgresql.conf")}`];
  const argv = (niceness ? ["/usr/bin/nice", "-n", String(niceness), ...words] : words) as [string, ...string[]];
  await startProcess(
    { run: server.folder, logs: server.folder },
    { name: NAME, argv, env: cleanEnvironment(), files: [] },
  );
}

/** What the log says of a recovery. */
export interface Replayed {
  /** Segments that were fetched from the archive. */
  segments: number;
  /** When the last transaction that is in it was committed; null when none was replayed. */
  lastTransactionAt: string | null;
  /** Where the replay ended; null when there was nothing to replay. */
  lsn: string | null;
}

/** The log ended before the target (PostgreSQL's own FATAL): nothing was opened. */
export class TargetNotReached extends Error {}

/** Reads a recovery out of the server's log. */
export function replayedOf(log: string): Replayed {
  const at = /last completed transaction was at log time (\d{4}-\d\d-\d\d) ([\d:.]+)\+00/.exec(log);
  return {
    segments: log.match(/restored log file "[0-9A-F]{24}" from archive/g)?.length ?? 0,
    lastTransactionAt: at ? `${at[1]}T${at[2]}Z` : null,
    lsn: /redo done at ([0-9A-F]+\/[0-9A-F]+)/.exec(log)?.[1] ?? null,
  };
}

const EARLY = "recovery ended before configured recovery target was reached";

/** Milliseconds between two looks. */
const LOOK_EVERY = 100;

/**
 * Waits until it has replayed and is open. Progress comes from its log: while it replays, it takes no sessions.
 * @throws TargetNotReached; HomelabError `step_failed` with the log's last lines, when it ended otherwise
 */
export async function waitForReplay(
  server: ScratchServer,
  { signal, onSegments }: { signal?: AbortSignal; onSegments?: (count: number) => void } = {},
): Promise<Replayed> {
  let seen = -1;
  for (;;) {
    // Whether it lives is asked first: what it said last is in the log then.
    const lives = (await findScratchServer(server)) !== undefined;
    const log = (await readText(server.log)) ?? "";
    const replayed = replayedOf(log);
    if (replayed.segments !== seen) onSegments?.((seen = replayed.segments));
    if (lives && (await isOpen(server))) return replayed;
    if (!lives) throw whyEnded(log);
    await sleep(LOOK_EVERY, signal);
  }
}

/** The postmaster writes its state into its lock file: it is what pg_ctl waits by. */
async function isOpen(server: ScratchServer): Promise<boolean> {
  const lines = (await readText(join(server.data, "postmaster.pid")))?.split("\n");
  return lines?.[7]?.trim() === "ready";
}

function whyEnded(log: string): Error {
  if (log.includes(EARLY)) return new TargetNotReached(EARLY);
  const last = log
    .trim()
    .split("\n")
    .filter((line) => !/LOG:  (database system is shut down|shutting down)/.test(line))
    .slice(-3)
    .join("\n");
  return new HomelabError("step_failed", `the restored PostgreSQL ended: ${last}`, {
    hint: "Nothing of the running cluster was touched. homelab op retry begins anew.",
  });
}

/** A superuser's session in one of its databases. What the database's owner set for sessions does not hold in it. */
export async function withinScratch<T>(
  topology: Topology,
  server: ScratchServer,
  database: string,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const client = new Client({
    host: server.socket,
    port: SCRATCH_PORT,
    user: "postgres",
    database,
    application_name: "homelab",
    connectionTimeoutMillis: 20_000,
    options: scratchOptions(topology),
  });
  client.on("error", () => {});
  try {
    await client.connect();
  } catch (cause) {
    throw new HomelabError("step_failed", `the restored database ${database}: ${errorMessage(cause)}`, { cause });
  }
  try {
    return await work({
      query: async (text, values) => (await client.query(text, values)).rows,
      transaction: async (statements) => void (await client.query(`BEGIN;${statements.join(";")};COMMIT`)),
    });
  } finally {
    await client.end().catch(() => {});
  }
}

/** Startup options of a session in it: pinned as everywhere, but without a limit of time. */
export const scratchOptions = ({ versions }: Topology): string =>
  pinnedOptions({
    postgresql: versions.postgresql,
    superuser: true,
    changed: { statement_timeout: "0", lock_timeout: "0", idle_in_transaction_session_timeout: "0" },
  });

/** Ends it at once: nothing of it is to be kept. */
export async function stopScratchServer(server: ScratchServer): Promise<void> {
  const identity = await findScratchServer(server);
  if (identity) await endProcess(identity, { signal: "SIGQUIT", grace: 10 });
}
