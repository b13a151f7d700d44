import { readFile, stat } from "node:fs/promises";
import { sleep } from "../../../core/clock.ts";
import { HomelabError } from "../../../core/errors.ts";
import type { Topology } from "../../../cluster/topology.ts";
import { placeOf } from "../../../engines/pgbackrest/wal.ts";
import {
  readReplayLog,
  recoveryLogPath,
  recoveryServerCommand,
  type ReplayLog,
} from "../../../engines/postgres/recovery-server.ts";
import { endProcess, identify, type ProcessIdentity } from "../../../host/processes.ts";
import { spawnDetached } from "../../../host/run.ts";
import type { Progress } from "../../../journal/journal.ts";
import type { RecoveryChoice } from "./choose-backup.ts";

/** What a replay is watched with. */
export interface ReplayWatch {
  choice: RecoveryChoice;
  signal: AbortSignal;
  progress(progress: Progress): void;
}

/** Milliseconds between two looks. */
const LOOK_EVERY = 200;

/** Seconds to write what is not written yet, at the end. */
const GRACE = 900;

/** A server that replays. */
interface Server {
  identity: ProcessIdentity | undefined;
  log(): Promise<ReplayLog>;
  hasEnded(): boolean;
}

async function start(topology: Topology, toTheEnd: boolean): Promise<Server> {
  const path = recoveryLogPath(topology);
  const from = await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
  let ended = false;
  const pid = await spawnDetached({ ...recoveryServerCommand(topology, { toTheEnd }), onExit: () => (ended = true) });
  return {
    identity: identify(pid),
    log: async () => readReplayLog((await readFile(path)).subarray(from).toString("utf8")),
    hasEnded: () => ended,
  };
}

/**
 * Starts the server, waits until it has replayed all, does the work and ends it cleanly. Where the moment to stop at never
 * came, all that was archived is from before it: then the end is that moment.
 * @throws HomelabError `step_failed` with PostgreSQL's own reason
 */
export async function replay<T>(
  topology: Topology,
  watch: ReplayWatch,
  work: (log: ReplayLog) => Promise<T>,
): Promise<T> {
  for (const toTheEnd of [false, true]) {
    const server = await start(topology, toTheEnd);
    try {
      if (await isReplayed(server, watch)) return await work(await server.log());
    } finally {
      if (server.identity) await endProcess(server.identity, { signal: "SIGINT", grace: GRACE });
    }
    const { endedBeforeTarget, fatal } = await server.log();
    if (endedBeforeTarget && !toTheEnd && watch.choice.to !== null) continue;
    throw new HomelabError(
      "step_failed",
      `PostgreSQL gave up while it replayed: ${fatal ?? "its log does not say why"}`,
      {
        hint: `The whole is in ${recoveryLogPath(topology)}.`,
      },
    );
  }
  throw new Error("unreachable");
}

/** False when it gave up. Nobody knocks before it is ready: each time would be a line in its log. */
async function isReplayed(server: Server, { choice, signal, progress }: ReplayWatch): Promise<boolean> {
  let seen = -1;
  for (;;) {
    const hasEnded = server.hasEnded();
    const { isReady, segments, lastSegment } = await server.log();
    if (isReady || hasEnded) return isReady && !hasEnded;
    if (segments !== seen) progress({ done: segments, total: totalOf(choice, lastSegment), unit: "steps" });
    seen = segments;
    await sleep(LOOK_EVERY, signal);
  }
}

/** How many segments there are to replay, where that can be known: to a moment, it may be fewer. */
function totalOf({ to, wal_start, last_segment }: RecoveryChoice, last: string | undefined): number | null {
  if (to !== null || wal_start === null || last === undefined) return null;
  return Math.max(1, placeOf(last_segment).index - placeOf(wal_start).index + 1);
}
