import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "../core/clock.ts";
import { readJson, readText, writeAtomic } from "./files.ts";
import type { Probe } from "./probe.ts";
import { spawnDetached } from "./run.ts";
import { hashFiles, markApplied } from "./services.ts";

/** A program that should run for as long as the platform does. Plain data: it is stored and read by the agent. */
export interface ProcessSpec {
  name: string;
  argv: [string, ...string[]];
  env: Record<string, string>;
  /** How it is asked to end, and seconds until it is killed. */
  stop: { signal: NodeJS.Signals; grace: number };
  /** Services that must answer before this one is started. */
  after: string[];
  /** How it is known to be ready. */
  ready: Probe;
  /** The files that it reads at its start. */
  files: string[];
  /** The agent does not start it before this file exists, */
  onlyIf?: string;
  /** unless the process that this pid file names lives: an operation that watches over its first start. */
  orWhile?: string;
  /** Nor while this file exists, whatever else holds. */
  unless?: string;
  /** A process that it may leave behind when it is killed; its pid is the first line of this file. */
  leaves?: { pidFile: string; stop: { signal: NodeJS.Signals; grace: number } };
}

/** A process that cannot be mistaken for another one that got the same pid later. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot at which it started: field 22 of /proc/<pid>/stat (proc(5)). */
  startTicks: string;
  bootId: string;
  startedAt: string;
}

let bootId: string | undefined;

/** The id of this boot of the kernel: pids of an earlier one mean nothing. */
export function currentBootId(): string {
  return (bootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
}

/** The start ticks of a live process; undefined when there is none, or only its zombie. */
export function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** The identity of a live process. */
export function identify(pid: number): ProcessIdentity | undefined {
  const startTicks = startTicksOf(pid);
  return startTicks === undefined
    ? undefined
    : { pid, startTicks, bootId: currentBootId(), startedAt: new Date().toISOString() };
}

/** Whether this very process lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identity.bootId === currentBootId() && startTicksOf(identity.pid) === identity.startTicks;
}

export const pidFile = (runFolder: string, name: string): string => join(runFolder, `${name}.pid`);

/** Notes a live process in a pid file of its own name; the file outlives it, and then means nothing. */
export const notePid = (path: string, pid: number): Promise<void> => writeAtomic(path, JSON.stringify(identify(pid)));

/** Whether the process that a pid file names lives. */
export async function isNotedAlive(path: string): Promise<boolean> {
  const identity = await readJson<ProcessIdentity>(path).catch(() => undefined);
  return identity !== undefined && isAlive(identity);
}

/** Finds a service that somebody started earlier, if it still lives. */
export async function findProcess(runFolder: string, name: string): Promise<ProcessIdentity | undefined> {
  const identity = await readJson<ProcessIdentity>(pidFile(runFolder, name)).catch(() => undefined);
  return identity && isAlive(identity) ? identity : undefined;
}

/** Starts a service in a session of its own and notes its pid. One caller at a time: that is the agent. */
export async function startProcess(
  folders: { run: string; logs: string },
  spec: Pick<ProcessSpec, "name" | "argv" | "env" | "files">,
  onExit?: (how: string) => void,
): Promise<ProcessIdentity> {
  const log = join(folders.logs, `${spec.name}.log`);
  const hashes = hashFiles(spec.files);
  const pid = await spawnDetached({ argv: spec.argv, env: spec.env, cwd: folders.run, log, onExit });
  const identity = identify(pid) ?? {
    pid,
    startTicks: "gone",
    bootId: currentBootId(),
    startedAt: new Date().toISOString(),
  };
  await writeAtomic(pidFile(folders.run, spec.name), JSON.stringify(identity));
  await markApplied(folders.run, spec.name, hashes);
  return identity;
}

/** Sends a signal to a service, if it lives; answers whether it did. */
export async function signalProcess(runFolder: string, name: string, signal: NodeJS.Signals): Promise<boolean> {
  const identity = await findProcess(runFolder, name);
  if (!identity) return false;
  process.kill(identity.pid, signal);
  return true;
}

const stoppingFile = (runFolder: string, name: string): string => join(runFolder, `${name}.stopping`);

/**
 * Asks a service to end, kills it when its grace is over, and answers once it is gone. That it was meant is noted in a
 * file of its own: the pid file belongs to whoever starts, who may write the next one in this very moment.
 */
export async function stopProcess(runFolder: string, name: string, stop: ProcessSpec["stop"]): Promise<void> {
  const identity = await findProcess(runFolder, name);
  if (!identity) return;
  await writeAtomic(stoppingFile(runFolder, name), String(identity.pid));
  await endProcess(identity, stop);
}

/** Whether the end of this process was meant. */
export const wasStopped = async (runFolder: string, name: string, pid: number): Promise<boolean> =>
  (await readText(stoppingFile(runFolder, name))) === String(pid);

/** Ends what a killed service left behind (a PostgreSQL whose Patroni is gone). */
export async function stopLeftover(leaves: NonNullable<ProcessSpec["leaves"]>): Promise<void> {
  const pid = Number((await readText(leaves.pidFile))?.split("\n")[0]);
  const identity = pid > 0 ? identify(pid) : undefined;
  if (identity && commandOf(pid).includes("postgres")) await endProcess(identity, leaves.stop);
}

/** Kills every process whose command line names this path, and answers once they are gone. The path must be ours alone. */
export async function killProcessesNaming(path: string): Promise<void> {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = pids.map(Number).filter((pid) => commandOf(pid).includes(path));
  const identities = found.map(identify).filter((identity) => identity !== undefined);
  await Promise.all(identities.map((identity) => endProcess(identity, { signal: "SIGKILL", grace: 0 })));
}

/** A live process's command line; empty when there is none. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

/** Ends a process by its identity: first politely, then not. */
export async function endProcess(identity: ProcessIdentity, stop: ProcessSpec["stop"]): Promise<void> {
  const send = (signal: NodeJS.Signals) => {
    if (isAlive(identity)) process.kill(identity.pid, signal);
  };
  send(stop.signal);
  const end = Date.now() + stop.grace * 1000;
  while (isAlive(identity) && Date.now() < end) await sleep(25);
  send("SIGKILL");
  while (isAlive(identity)) await sleep(25);
}
