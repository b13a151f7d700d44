import { shellWord } from "../../cluster/archive.ts";
import { targetText, type RecoveryTarget } from "../../cluster/recovery.ts";
import type { Topology } from "../../cluster/topology.ts";
import { run } from "../../host/run.ts";
import { pgbackrestArgv, pgbackrestEnvironment } from "./command.ts";

/** Which backup is restored to where, and how far the log is to be replayed. */
export interface RestoreWish {
  repo: number;
  label: string;
  /** The data directory to be: there, and empty, unless `delta`. */
  data: string;
  recovery: RecoveryTarget;
  timeline: number;
  /**
   * Only these databases, by the names that they had when the backup was made; of the others there are empty files, in
   * which nothing can be read. PostgreSQL's own are always there.
   */
  databases?: string[];
  /** A folder of the restore's own, for a lock, so that two restores at once do not exclude each other. */
  lock?: string;
  /** Tablespaces go below this folder: where they were is the live cluster's. */
  tablespaces?: string;
  /** What is there already and fits is kept. */
  delta?: boolean;
  /** Archiving is switched off in what is restored. */
  archiveOff?: boolean;
  /** Processes that copy at once; the setting's number otherwise. */
  processes?: number;
  /** nice(1): 0 to 19, where 19 yields to everybody; the disk is yielded too then. */
  niceness?: number;
}

type Options = Parameters<typeof pgbackrestArgv>[2];

/** The options of pgBackRest's restore (its manual, "Restore Command"). The backup is always named: left to itself, it takes the newest. */
function restoreOptions(wish: RestoreWish): Options {
  const { recovery } = wish;
  const isPoint = recovery.type !== "default" && recovery.type !== "immediate";
  return {
    repo: wish.repo,
    set: wish.label,
    "pg1-path": wish.data,
    "lock-path": wish.lock,
    "tablespace-map-all": wish.tablespaces,
    type: recovery.type,
    ...(isPoint ? { target: targetText(recovery) } : {}),
    ...(recovery.type === "default" ? {} : { "target-action": "promote" }),
    ...(recovery.type === "immediate" ? {} : { "target-timeline": wish.timeline }),
    "archive-mode": wish.archiveOff ? "off" : undefined,
    delta: wish.delta ? true : undefined,
    "db-include": wish.databases,
    "process-max": wish.processes,
    // A line for each file, with how far it is.
    "log-level-stderr": "detail",
  };
}

/** How far a line of pgBackRest's detailed log says that it is, from 0 to 1. */
function restoredPart(line: string): number | undefined {
  const match = /restore (?:zeroed )?file .*, (\d+(?:\.\d+)?)%\)/.exec(line);
  return match ? Number(match[1]) / 100 : undefined;
}

/** Words before a program that yields: its share of the processor, and of the disk (ionice(1); not only when that is idle, or it would never end on a busy one). */
const yielding = ({ niceness }: RestoreWish): string[] =>
  niceness ? ["/usr/bin/nice", "-n", String(niceness), "/usr/bin/ionice", "-c", "2", "-n", "7"] : [];

/** Restores a backup's files. @throws HomelabError `process_failed`, with its last lines */
export async function restoreFiles(
  topology: Topology,
  wish: RestoreWish,
  { signal, onPart }: { signal?: AbortSignal; onPart?: (part: number) => void } = {},
): Promise<void> {
  await run({
    argv: [...yielding(wish), ...pgbackrestArgv(topology, "restore", restoreOptions(wish))] as [string, ...string[]],
    env: pgbackrestEnvironment(topology),
    signal,
    onErrorLine: (line) => {
      const part = restoredPart(line);
      if (part !== undefined) onPart?.(part);
    },
  });
}

/** Bytes of WAL that are fetched ahead of what is replayed. */
const QUEUE = "256MiB";

/**
 * The restore_command of a restored cluster. It fetches ahead, with a queue and a lock of its own in `folder`: in those of
 * the live cluster, archiving and this would hold each other up.
 */
export function restoreCommand(topology: Topology, from: { repo: number; data: string; folder: string }): string {
  const words = pgbackrestArgv(topology, "archive-get", {
    repo: from.repo,
    "pg1-path": from.data,
    "lock-path": `${from.folder}/lock`,
    "spool-path": `${from.folder}/spool`,
    "archive-get-queue-max": QUEUE,
  });
  // In restore_command, %% is a percent sign (PostgreSQL manual, 20.5.5).
  return `${words.map((word) => shellWord(word).replace(/%/g, "%%")).join(" ")} %f "%p"`;
}
