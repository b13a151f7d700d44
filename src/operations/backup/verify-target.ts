import { randomInt } from "node:crypto";
import { z } from "zod";
import { sleep } from "../../core/clock.ts";
import { parseMoment } from "../../core/moment.ts";
import { listMarks } from "../../engines/postgres/marks.ts";
import { placeOf } from "../../engines/pgbackrest/wal.ts";
import { requireSpace } from "../../host/space.ts";
import { archiveNow } from "../../site/archive-now.ts";
import { readCatalogue, readRepository } from "../../site/backup-catalogue.ts";
import type { ProofTarget } from "../../site/proof.ts";
import { drawSecond, markBefore, spanOf, type ProofSpan } from "../../site/proof-target.ts";
import type { ScratchWish } from "../../site/scratch.ts";
import type { Guard, Step, StepContext } from "../operation.ts";

export const verifyInput = z.strictObject({
  backup: z
    .string()
    .min(1)
    .max(120)
    .optional()
    .describe("A backup's label, with or without @ and its repository; the newest good one by default"),
  to: z
    .string()
    .max(60)
    .refine((text) => parseMoment(text) !== undefined, `expected a moment as in "2026-11-20 14:05:30"`)
    .optional()
    .describe("The second to replay to; one at random by default"),
});

export type VerifyInput = z.infer<typeof verifyInput>;
type Context = StepContext<VerifyInput>;

/** WAL that lies in scratch while it is replayed, at most: what PostgreSQL keeps, and what is fetched ahead. */
const WAL_BYTES = 1024 ** 3 + 256 * 1024 ** 2;

/** Bytes that a proof needs: the cluster as it was, somewhat grown by what is replayed. */
const needOf = ({ database_bytes: bytes }: Pick<ProofTarget, "database_bytes">): number =>
  Math.round(bytes * 1.1) + Math.min(WAL_BYTES, bytes + 64 * 1024 ** 2);

async function requireRoom({ site }: Context, bytes: number): Promise<void> {
  requireSpace("The proof", [{ path: site.topology.paths.scratch, bytes: needOf({ database_bytes: bytes }) }]);
}

/** There is something to prove, and room for it. */
export const canBeProven: Guard<VerifyInput> = async (context) => {
  const { site, input, signal } = context;
  const { backup } = spanOf(await readCatalogue(site, signal), input, site.clock.now());
  await requireRoom(context, backup.databaseBytes);
};

/** The target of this run. */
export const targetOf = ({ output }: Pick<Context, "output">): ProofTarget => output<ProofTarget>("choose-target")!;

/** What is restored for it. One process: whoever works with the cluster is to notice little. */
export const scratchWishOf = ({ repo, label, to, timeline }: ProofTarget): ScratchWish => ({
  repo,
  label,
  // In recovery_target_time, PostgreSQL takes no zone by a letter.
  recovery: { type: "time", target: to.replace("Z", "+00:00") },
  timeline,
  processes: 1,
});

/**
 * Chooses the backup and the second once for the run. Everything up to now is brought into the archive before: recovery
 * to a second ends in an error where no later transaction is in the log.
 */
export const chooseTarget: Step<VerifyInput> = {
  name: "choose-target",
  plan: ({ input }) =>
    `choose ${input.backup ?? "the newest good backup"} and ${input.to ?? "a random second behind it"}`,
  async run(context) {
    const { site, input, signal } = context;
    const begun = Date.now();
    const span = spanOf(await readCatalogue(site, signal), input, site.clock.now());
    await requireRoom(context, span.backup.databaseBytes);
    const rpo = lossOf(span, begun);
    const marks = await listMarks(await (await site.postgres()).admin());
    const wished = input.to === undefined ? undefined : Date.parse(parseMoment(input.to)!);
    await waitUntilPast(Math.max(span.from, wished ?? 0, markOf(marks)), signal);
    const closedAt = Date.now();
    await archiveNow(site, signal);
    const to = wished ?? drawSecond({ span, marks, closedAt, draw: randomInt });
    const target = await toTarget(context, span, { to, rpo, mark: markBefore(marks, to) });
    return { says: `${target.backup}, to ${target.to}`, output: target };
  },
  deadline: 180,
};

/** The newest mark is the last thing that a second may be compared with: it needs a whole second behind it. */
const markOf = (marks: { at: number }[]): number => Math.max(0, ...marks.map(({ at }) => at));

/** A moment can be had back once something was committed behind it. */
async function waitUntilPast(moment: number, signal: AbortSignal): Promise<void> {
  const ms = Math.ceil(moment / 1000) * 1000 - Date.now();
  // Beyond that it is no matter of a second, but of a clock that was set back.
  if (ms > 0 && ms < 5000) await sleep(ms + 5, signal);
}

async function toTarget(
  { site, signal }: Context,
  { catalogue, backup }: ProofSpan,
  { to, rpo, mark }: { to: number; rpo: number | null; mark: { id: string; at: number } | undefined },
): Promise<ProofTarget> {
  const { repository } = catalogue;
  // The timeline may have just been archived for the first time.
  const { legs } = await readRepository(site, repository, signal);
  return {
    backup: `${backup.label}@${repository.name}`,
    label: backup.label,
    type: backup.type,
    repo: repository.number,
    repository: repository.name,
    timeline: legs.at(-1)?.timeline ?? placeOf(backup.walStop!).timeline,
    database_bytes: backup.databaseBytes,
    to: inSeconds(to),
    mark: mark ? { id: mark.id, at: new Date(mark.at).toISOString() } : null,
    rpo_seconds: rpo,
  };
}

/** A moment in RFC 3339; whole seconds without a fraction. */
const inSeconds = (at: number): string => new Date(at).toISOString().replace(".000Z", "Z");

/** Seconds between the newest that the repository had and the beginning of the proof. */
function lossOf({ catalogue }: ProofSpan, begun: number): number | null {
  const last = catalogue.coverage.windows.at(-1);
  return last ? Math.max(0, Math.round((begun - Date.parse(last.to)) / 1000)) : null;
}
