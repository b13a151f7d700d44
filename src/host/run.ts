import { spawn, type ChildProcess } from "node:child_process";
import { openSync, closeSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { HomelabError } from "../core/errors.ts";

/** A program and its words: never a shell string. Secrets do not belong here: other users can read arguments. */
export interface Command {
  argv: readonly [string, ...string[]];
  /** Replaces the environment when given. */
  env?: Record<string, string>;
  cwd?: string;
  /** Written to standard input, which is closed then. */
  input?: string;
  /** Seconds until it is killed together with its children. */
  timeout?: number;
  signal?: AbortSignal;
  /** Called for each line of standard error, as it comes. */
  onErrorLine?: (line: string) => void;
  /** The caller's terminal is handed through (psql). */
  inherit?: boolean;
  /** Standard output goes to this file (mode 0600) instead of into memory. */
  outputFile?: string;
}

/** How a program ended. */
export interface CommandResult {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  seconds: number;
  timedOut: boolean;
}

/** What a program of ours sees of the environment: nothing that the user did not mean for it. */
export function cleanEnvironment(more: Record<string, string> = {}): Record<string, string> {
  return {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
    ...more,
  };
}

/** Runs a program to its end and answers how it ended, whatever that was. */
export async function runAny(command: Command): Promise<CommandResult> {
  const started = performance.now();
  const output = command.outputFile ? openSync(command.outputFile, "w", 0o600) : "pipe";
  const child = spawn(command.argv[0], command.argv.slice(1), {
    // The caller's folder may be closed to the user that we became.
    cwd: command.cwd ?? (command.inherit ? undefined : "/"),
    env: command.env ?? cleanEnvironment(),
    // An own group, so that a timeout also ends grandchildren; with a terminal it must stay in the caller's.
    detached: !command.inherit,
    stdio: command.inherit ? "inherit" : [command.input === undefined ? "ignore" : "pipe", output, "pipe"],
  });
  if (typeof output === "number") closeSync(output);
  child.stdin?.on("error", () => {}).end(command.input);
  const texts = collect(child, command.onErrorLine);
  const guard = watch(child, command);
  try {
    const { exitCode, signal } = await ended(child, command);
    return { exitCode, signal, ...texts, seconds: (performance.now() - started) / 1000, timedOut: guard.timedOut() };
  } finally {
    guard.clear();
  }
}

/**
 * Runs a program and answers its output.
 * @throws HomelabError `process_failed`, with the last lines it wrote, when it did not end with 0.
 */
export async function run(command: Command): Promise<CommandResult> {
  const result = await runAny(command);
  if (result.exitCode === 0) return result;
  throw new HomelabError("process_failed", failureOf(command, result));
}

/**
 * Runs two programs at once, the output of the first being the input of the second, and answers how both ended. When one
 * of them ends early, so does the other.
 * @param onBytes called with the bytes that have gone from one to the other so far
 */
export async function runPiped(
  from: Command,
  to: Command,
  onBytes?: (bytes: number) => void,
): Promise<[CommandResult, CommandResult]> {
  const started = performance.now();
  const start = (command: Command, input: "ignore" | "pipe") =>
    spawn(command.argv[0], command.argv.slice(1), {
      cwd: command.cwd ?? "/",
      env: command.env ?? cleanEnvironment(),
      detached: true,
      stdio: [input, "pipe", "pipe"],
    });
  const [first, second] = [start(from, "ignore"), start(to, "pipe")];
  let bytes = 0;
  first.stdout!.on("data", (chunk: Buffer) => onBytes?.((bytes += chunk.length)));
  second.stdin!.on("error", () => {});
  first.stdout!.pipe(second.stdin!);
  // Nobody reads any more what the first one writes.
  second.once("exit", () => killGroup(first, false));
  const finish = async (child: ChildProcess, command: Command) => {
    const guard = watch(child, command);
    try {
      const how = await ended(child, command);
      return { ...how, seconds: (performance.now() - started) / 1000, timedOut: guard.timedOut() };
    } finally {
      guard.clear();
    }
  };
  const texts = [collectErrors(first), collect(second, to.onErrorLine)] as const;
  const ends = await Promise.all([finish(first, from), finish(second, to)]);
  return [
    { ...ends[0], ...texts[0] },
    { ...ends[1], ...texts[1] },
  ];
}

/** The errors of a program whose output goes elsewhere. */
function collectErrors(child: ChildProcess): { stdout: string; stderr: string } {
  const texts = { stdout: "", stderr: "" };
  child.stderr
    ?.setEncoding("utf8")
    .on("data", (chunk: string) => (texts.stderr = (texts.stderr + chunk).slice(-65536)));
  return texts;
}

/** The sentence on a program that failed, with the last lines that it wrote. */
export const failureOf = ({ argv }: Command, result: CommandResult): string =>
  `${argv[0]} ${howItEnded(result)}${lastLines(result.stderr || result.stdout)}`;

/** A program whose input and output are streams of ours. @see pipe */
export interface Piped {
  stdin: Writable;
  stdout: Readable;
  /** How it ended. Never rejects: one that could not be started says so in `stderr`. */
  ended: Promise<Pick<CommandResult, "exitCode" | "signal" | "stderr">>;
}

/** Starts a program between two streams. It is ended with everything that it started once the signal aborts. */
export function pipe(command: Pick<Command, "argv" | "env" | "cwd" | "signal">): Piped {
  const child = spawn(command.argv[0], command.argv.slice(1), {
    cwd: command.cwd ?? "/",
    env: command.env ?? cleanEnvironment(),
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  // Whoever ends first breaks the pipe: how the program ended tells why.
  child.stdin.on("error", () => {});
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr = (stderr + chunk).slice(-65536)));
  const guard = watch(child, command);
  const end = new Promise<Awaited<Piped["ended"]>>((resolve) => {
    child.once("error", (cause) => resolve({ exitCode: null, signal: null, stderr: cause.message }));
    child.once("close", (exitCode, signal) => resolve({ exitCode, signal, stderr }));
  });
  void end.then(() => guard.clear());
  return { stdin: child.stdin, stdout: child.stdout, ended: end };
}

function howItEnded(result: CommandResult): string {
  if (result.timedOut) return `was ended after ${Math.round(result.seconds)} s`;
  return result.signal ? `was ended by ${result.signal}` : `ended with ${result.exitCode}`;
}

function lastLines(text: string): string {
  const lines = text.trim().split("\n").slice(-4).join("\n");
  return lines ? `: ${lines}` : "";
}

function collect(child: ChildProcess, onErrorLine?: (line: string) => void): { stdout: string; stderr: string } {
  const texts = { stdout: "", stderr: "" };
  let open = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (texts.stdout += chunk));
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    texts.stderr = (texts.stderr + chunk).slice(-65536);
    if (!onErrorLine) return;
    const lines = (open + chunk).split("\n");
    open = lines.pop()!;
    lines.forEach(onErrorLine);
  });
  return texts;
}

/** Ends the whole group at the timeout or when the caller gives up. */
function watch(child: ChildProcess, command: Command): { timedOut(): boolean; clear(): void } {
  let timedOut = false;
  const end = () => killGroup(child, command.inherit === true);
  const timer = command.timeout ? setTimeout(() => ((timedOut = true), end()), command.timeout * 1000) : undefined;
  if (command.signal?.aborted) end();
  command.signal?.addEventListener("abort", end, { once: true });
  return {
    timedOut: () => timedOut,
    clear() {
      clearTimeout(timer);
      command.signal?.removeEventListener("abort", end);
    },
  };
}

function killGroup(child: ChildProcess, alone: boolean): void {
  if (child.pid === undefined) return;
  try {
    process.kill(alone ? child.pid : -child.pid, "SIGKILL");
  } catch {
    // It ended by itself in this very moment.
  }
}

/** Waits for the exit, and for the pipes only as long as nobody else holds them: a grandchild may. */
function ended(child: ChildProcess, command: Command): Promise<Pick<CommandResult, "exitCode" | "signal">> {
  return new Promise((resolve, reject) => {
    child.once("error", (cause: NodeJS.ErrnoException) => {
      const what = cause.code === "ENOENT" ? "is not installed" : `cannot be started: ${cause.message}`;
      reject(new HomelabError("process_failed", `${command.argv[0]} ${what}`, { cause }));
    });
    child.once("exit", (exitCode, signal) => {
      const timer = setTimeout(() => resolve({ exitCode, signal }), 500);
      child.once("close", () => (clearTimeout(timer), resolve({ exitCode, signal })));
    });
  });
}

/** Starts a program that outlives us: its own session, output appended to a log. Answers its pid. */
export function spawnDetached(
  command: Pick<Command, "argv" | "env" | "cwd"> & { log: string; onExit?: (how: string) => void },
): Promise<number> {
  const log = openSync(command.log, "a", 0o600);
  const child = spawn(command.argv[0], command.argv.slice(1), {
    cwd: command.cwd,
    env: command.env ?? cleanEnvironment(),
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  child.unref();
  return new Promise((resolve, reject) => {
    child.once("error", (cause) =>
      reject(new HomelabError("process_failed", `${command.argv[0]} cannot be started: ${cause.message}`, { cause })),
    );
    child.once("spawn", () => resolve(child.pid!));
    if (command.onExit)
      child.once("exit", (code, signal) => command.onExit!(signal ? `ended by ${signal}` : `ended with ${code}`));
  });
}
