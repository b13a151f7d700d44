import { join } from "node:path";
import { userInfo } from "node:os";
import type { Topology } from "../../cluster/topology.ts";
import { waitUntil } from "../../core/clock.ts";
import { HomelabError } from "../../core/errors.ts";
import { ensureFolder, readText, writeAtomic } from "../../host/files.ts";
import {
  commandOf,
  endProcess,
  findProcess,
  identify,
  startProcess,
  type ProcessIdentity,
} from "../../host/processes.ts";
import { cleanEnvironment } from "../../host/run.ts";
import { replayedOf, TargetNotReached } from "./scratch.ts";

/** The name of its pid file and its log. */
const NAME = "postgres-closed";

/** How it is asked to end; the last checkpoint of a large cluster takes a while. */
const STOP = { signal: "SIGINT", grace: 600 } as const;

/** Settings by their names. */
type Settings = Record<string, string | number | boolean>;

/**
 * A folder of its own for its socket and files, which nobody but the home's owner can enter. With the port, its path is as
 * long as that of the cluster's own socket: there are 107 bytes at most (unix(7)).
 */
const folderOf = ({ paths }: Topology): string => join(paths.run, "cl");

/** Part of the socket's name, and no more than that: it listens on no address. */
const PORT = 1;

const logOf = ({ paths }: Topology): string => join(paths.logs, `${NAME}.log`);

/** The cluster as its sessions reach it: the same, by another socket. */
export const closedTopology = (topology: Topology): Topology => ({
  ...topology,
  paths: { ...topology.paths, run: folderOf(topology) },
  ports: { ...topology.ports, postgres: PORT },
});

/**
 * The cluster's own PostgreSQL on its own data directory, closed to everybody but us: no TCP, a socket in a folder of its
 * own, and nobody gets in before it has reached its target. What a restore left to be mended is mended here, before the
 * first app comes in. One that runs already is left running. `more` wins over everything, also over what ALTER SYSTEM left.
 */
export async function startClosed(topology: Topology, more: Settings = {}): Promise<void> {
  const { paths, programs } = topology;
  const folder = folderOf(topology);
  if (await findClosed(topology)) return;
  await ensureFolder(folder, 0o700);
  const files = await writeFiles(topology, folder);
  const settings: Settings = {
    ...files,
    listen_addresses: "",
    unix_socket_directories: folder,
    unix_socket_permissions: "0700",
    port: PORT,
    ssl: "off",
    // Read-only sessions before the target would see what is to be gone, and it would insist on the old max_connections.
    hot_standby: "off",
    archive_mode: "on",
    archive_command: topology.parameters["archive_command"]!,
    logging_collector: "off",
    log_destination: "stderr",
    log_min_messages: "warning",
    // Its log is read.
    log_timezone: "UTC",
    lc_messages: "C",
    ...more,
  };
  const words = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const argv: [string, ...string[]] = [join(programs.postgresBin, "postgres"), "-D", paths.postgresData, ...words];
  // Its log is read for why it ended: only this start's.
  await writeAtomic(logOf(topology), "");
  await startProcess(paths, { name: NAME, argv, env: cleanEnvironment(), files: [] });
}

const lockFile = ({ paths }: Topology): string => join(paths.postgresData, "postmaster.pid");

/** The running server, also when whoever started it died before the pid was noted. */
async function findClosed(topology: Topology): Promise<ProcessIdentity | undefined> {
  const noted = await findProcess(topology.paths.run, NAME);
  if (noted) return noted;
  const pid = Number((await readText(lockFile(topology)))?.split("\n")[0]);
  return pid > 0 && commandOf(pid).includes(folderOf(topology)) ? identify(pid) : undefined;
}

/** What it reads at its start: the cluster's sizes, and that the home's owner alone gets in, as the superuser. */
async function writeFiles(topology: Topology, folder: string): Promise<Settings> {
  const files = {
    config_file: join(folder, "postgresql.conf"),
    hba_file: join(folder, "pg_hba.conf"),
    ident_file: join(folder, "pg_ident.conf"),
  };
  const quoted = (value: string | number | boolean) => `'${String(value).replaceAll("'", "''")}'`;
  const lines = Object.entries(topology.parameters).map(([name, value]) => `${name} = ${quoted(value)}\n`);
  await writeAtomic(files.config_file, lines.join(""));
  await writeAtomic(files.hba_file, "local all postgres peer map=owner\n");
  await writeAtomic(files.ident_file, `owner "${userInfo().username.replaceAll('"', '""')}" postgres\n`);
  return files;
}

/** What PostgreSQL says when the log ends before its target. */
const EARLY = "recovery ended before configured recovery target was reached";

/**
 * Waits until it lets us in: with `hot_standby` off that is once it has reached its target and is primary.
 * @throws TargetNotReached; HomelabError `step_failed` with its last words when it ends for another reason
 */
export async function waitForClosed(
  topology: Topology,
  { signal, onSegments }: { signal: AbortSignal; onSegments: (count: number) => void },
): Promise<void> {
  let seen = -1;
  const isReady = async () => {
    // Whether it lives is asked first: what it said last is in the log then.
    const lives = (await findClosed(topology)) !== undefined;
    const { segments } = await closedReplay(topology);
    if (segments !== seen) onSegments((seen = segments));
    // The eighth line: PostgreSQL's own word for its state (miscadmin.h, LOCK_FILE_LINE_PM_STATUS).
    if (lives && (await readText(lockFile(topology)))?.split("\n")[7]?.trim() === "ready") return true;
    if (!lives) throw whyEnded((await readText(logOf(topology))) ?? "");
    return false;
  };
  // A recovery takes what it takes; the step's own deadline is put off for as long as segments come.
  await waitUntil(isReady, { timeout: 7 * 86_400, every: 50, signal, what: "PostgreSQL has reached its target" });
}

/** What its log says of the recovery, and where that stopped: `recovery stopping before commit of transaction 735, …`. */
export async function closedReplay(
  topology: Topology,
): Promise<ReturnType<typeof replayedOf> & { stopped: string | undefined }> {
  const log = (await readText(logOf(topology))) ?? "";
  return { ...replayedOf(log), stopped: /LOG: +(recovery stopping .*)$/m.exec(log)?.[1] };
}

function whyEnded(log: string): Error {
  if (log.includes(EARLY)) return new TargetNotReached(EARLY);
  const lines = log.trim().split("\n");
  const last = lines.findLast((line) => /(FATAL|PANIC):/.test(line)) ?? lines.at(-1) ?? "";
  const words = last.replace(/^.*?(FATAL|PANIC): +/, "");
  return new HomelabError("step_failed", `PostgreSQL ended before its target: ${words}`, {
    hint: "logs/postgres-closed.log in the home shows more. The data directory of before is put back.",
  });
}

/** Stops it cleanly, with what it has to archive. */
export async function stopClosed(topology: Topology): Promise<void> {
  const identity = await findClosed(topology);
  if (identity) await endProcess(identity, STOP);
}
