import { errorMessage, HomelabError } from "../../core/errors.ts";
import { formatBytes, formatSeconds } from "../../core/units.ts";
import { restoreFault } from "../../engines/pgbackrest/restore-fault.ts";
import { isDamage } from "../../engines/postgres/content.ts";
import { findScratchServer, TargetNotReached, type ScratchLimits } from "../../engines/postgres/scratch.ts";
import { isRestored, replayScratch, restoreToScratch, scratchOf } from "../../site/scratch.ts";
import type { Step, StepContext } from "../operation.ts";
import { scratchWishOf, targetOf, type VerifyInput } from "./verify-target.ts";

type Context = StepContext<VerifyInput>;

/** What the restored PostgreSQL may take of the machine: little, and only what nobody else wants. */
const LIMITS: ScratchLimits = { sharedBuffers: "128MB", niceness: 19 };

/** How PostgreSQL ends on files or WAL that are not whole; it may also end for want of memory, which is no fault of theirs. */
const NOT_WHOLE =
  /PANIC|checkpoint record|before consistent|before end of online backup|invalid (record|contrecord|resource manager)/;

/** Everything behind it was done: what it left is gone, or about to be. */
const isOver = ({ output }: Context): boolean => output("read-tables") !== undefined;

/** What restoring answered: the fault is the backup's. How long it took is not known where another process began it. */
export type RestoreOutput = { seconds: number | null; fault: string | null };
export type ReplayOutput = { seconds: number | null; segments: number; fault: string | null };

/** Measures from now on; answers null where the work was begun before. */
function stopwatch(wasBegun: boolean): () => number | null {
  const begun = performance.now();
  return () => (wasBegun ? null : (performance.now() - begun) / 1000);
}

const inTime = (seconds: number | null): string => (seconds === null ? "" : ` in ${formatSeconds(seconds)}`);

/** What an earlier step found wrong with the backup; then nothing more can be learnt of it. */
export const faultSoFar = ({ output }: Context): string | undefined =>
  output<RestoreOutput>("restore")?.fault ?? output<ReplayOutput>("replay")?.fault ?? undefined;

export const restoreStep: Step<VerifyInput> = {
  name: "restore",
  plan: ({ site }) => `restore it to ${site.topology.paths.scratch}, with one process`,
  async check(context) {
    if (isOver(context)) return true;
    const known = context.output<RestoreOutput>("restore");
    if (!known) return false;
    return known.fault !== null || isRestored(context.site, context.runId, scratchWishOf(targetOf(context)));
  },
  async run(context) {
    const { site, runId, signal, progress } = context;
    const target = targetOf(context);
    const total = target.database_bytes;
    const wish = scratchWishOf(target);
    const elapsed = stopwatch(await isRestored(site, runId, wish));
    const answer = (fault: string | null): RestoreOutput => ({ seconds: elapsed(), fault });
    const onPart = (part: number) => progress({ done: Math.round(part * total), total, unit: "bytes" });
    try {
      await restoreToScratch(site, runId, wish, { limits: LIMITS, signal, onPart });
    } catch (error) {
      const spoilt = signal.aborted ? undefined : restoreFault(errorMessage(error));
      if (spoilt === undefined) throw error;
      const fault = `it cannot be restored: ${spoilt}`;
      return { says: fault, output: answer(fault) };
    }
    const output = answer(null);
    return { says: `${formatBytes(total)}${inTime(output.seconds)}`, output };
  },
  deadline: 600,
};

export const replayStep: Step<VerifyInput> = {
  name: "replay",
  plan: () => "start PostgreSQL on it, for nobody else, and replay the WAL to the second",
  async check(context) {
    if (isOver(context)) return true;
    const known = context.output<ReplayOutput>("replay");
    if (faultSoFar(context) !== undefined) return true;
    if (!known) return false;
    return (await findScratchServer(await scratchOf(context.site, context.runId))) !== undefined;
  },
  async run(context) {
    const { site, runId, signal, progress } = context;
    const target = targetOf(context);
    const onSegments = (done: number) => progress({ done, total: null, unit: "steps" });
    const elapsed = stopwatch((await findScratchServer(await scratchOf(site, runId))) !== undefined);
    const answer = (fault: string | null, segments = 0): ReplayOutput => ({ seconds: elapsed(), segments, fault });
    try {
      const replayed = await replayScratch(site, runId, scratchWishOf(target), { limits: LIMITS, signal, onSegments });
      const output = answer(null, replayed.segments);
      return { says: `${replayed.segments} segments${inTime(output.seconds)}`, output };
    } catch (error) {
      const fault = signal.aborted ? undefined : replayFault(error, target.to);
      if (!fault) throw error;
      return { says: fault, output: answer(fault) };
    }
  },
  deadline: 600,
};

/** What speaks against the backup or its WAL in an error; undefined for one that does not. */
function replayFault(error: unknown, to: string): string | undefined {
  if (error instanceof TargetNotReached) return `the WAL in the repository ends before ${to}`;
  const isOwnEnd = error instanceof HomelabError && error.code === "step_failed";
  return isOwnEnd && (NOT_WHOLE.test(error.message) || isDamage(error.message)) ? error.message : undefined;
}
