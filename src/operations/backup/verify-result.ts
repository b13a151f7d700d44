import { sleep } from "../../core/clock.ts";
import { errorMessage, HomelabError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import { toAnnotations } from "../../engines/pgbackrest/annotations.ts";
import { annotate } from "../../engines/pgbackrest/client.ts";
import { proofResult, type ProofResult } from "../../site/proof.ts";
import type { Step, StepContext } from "../operation.ts";
import { markOf } from "../steps/write-mark.ts";
import type { ReadOutput, StructureOutput } from "./verify-content.ts";
import type { ReplayOutput, RestoreOutput } from "./verify-restore.ts";
import { targetOf, type VerifyInput } from "./verify-target.ts";

type Context = StepContext<VerifyInput>;

/** pgBackRest's code for a lock that another one of it holds, a backup that is being made say. */
const LOCKED = /\[0?50\]/;

const LOOK_EVERY = 2000;

function resultOf(context: Context): ProofResult {
  const { site, output } = context;
  return proofResult(
    {
      target: targetOf(context),
      restore: output<RestoreOutput>("restore"),
      replay: output<ReplayOutput>("replay"),
      structure: (output("check-structure") as StructureOutput | null) ?? undefined,
      read: (output("read-tables") as unknown as ReadOutput | null) ?? undefined,
      liveFaults: markOf(context)?.damaged ?? [],
    },
    site.clock.now(),
  );
}

/** A note is one short line, and pgBackRest splits it at the first `=`. */
const oneLine = (text: string): string =>
  text
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ")
    .replaceAll("=", ":")
    .slice(0, 200);

/** What stands beside the backup from now on. What a proof before this one noted of the other kind is taken away. */
const notesOf = ({ proven, faults, finished_at: at }: ProofResult): Record<string, string> =>
  toAnnotations(proven ? { proven: at, bad: "" } : { bad: oneLine(faults[0] ?? "it could not be read"), proven: "" });

/** Notes beside the backup, in its repository, what came out: from there it is shown, and from there expiry knows it. */
export const noteResult: Step<VerifyInput> = {
  name: "note-result",
  plan: () => "note beside the backup, in its repository, whether it was proven",
  async run(context) {
    const { site, signal, progress } = context;
    const result = resultOf(context);
    const { repo, label } = targetOf(context);
    for (let waited = 0; ; waited += LOOK_EVERY / 1000) {
      try {
        await annotate(site.topology, { repo, label }, notesOf(result));
        break;
      } catch (error) {
        if (!LOCKED.test(errorMessage(error))) throw error;
        progress({ done: waited, total: null, unit: "seconds" });
        await sleep(LOOK_EVERY, signal);
      }
    }
    return { says: result.proven ? "proven" : "bad", output: result as unknown as Json };
  },
  deadline: 300,
};

/** What this run noted. */
export const notedResult = ({ output }: Context): ProofResult => output("note-result") as unknown as ProofResult;

const INDEX = /\bindex "/;
const MAKE_ANEW = "Older good backups stay until there is a good one again. homelab db backup full makes a new one.";
const MEND_INDEX =
  "Where the running database has the same fault, REINDEX INDEX CONCURRENTLY mends an index; then homelab db backup full.";

/** A proof that found something wrong ends as failed: nothing about it is to look green. */
export const giveVerdict: Step<VerifyInput> = {
  name: "give-verdict",
  plan: () => "fail if anything is wrong",
  async run(context) {
    const { label, proven, faults, live_faults: live } = notedResult(context);
    if (!proven)
      throw new HomelabError("proof_failed", `${label} is bad: ${listed(faults)}`, {
        hint: faults.some((fault) => INDEX.test(fault)) ? MEND_INDEX : MAKE_ANEW,
      });
    if (live.length > 0)
      throw new HomelabError(
        "proof_failed",
        `${label} is proven, but the running cluster is damaged: ${listed(live)}`,
        {
          hint: "homelab db restore brings the table back beside it, as it was before.",
        },
      );
    return { says: `${label} is proven` };
  },
  deadline: 10,
};

const listed = ([first, ...more]: string[]): string =>
  more.length > 0 ? `${first} (and ${more.length} more)` : String(first);
