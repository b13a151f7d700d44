import type { Journal, Run } from "../journal/journal.ts";
import type { ProofResult } from "../site/proof.ts";

/** A proof in a list: what the API answers. */
export interface ListedProof {
  id: string;
  /** `proven` and `bad` are verdicts; `failed` is a proof that could not be brought to its end. */
  state: "running" | "proven" | "bad" | "failed" | "refused" | "cancelled";
  started_at: string;
  finished_at: string | null;
  /** Why there is no verdict, or what was found. */
  says: string | null;
  /** Null where it did not come to a verdict. */
  result: ProofResult | null;
}

const OPERATION = "backup.verify";

/** The step whose line holds all that was found, also of a proof that ends as failed. */
const NOTED = "note-result";

/** The last proofs, the newest first, out of the journal. */
export async function proofList(
  journal: Journal,
  { limit, before }: { limit: number; before?: Run["id"] },
): Promise<{ items: ListedProof[]; next: string | null; total: number }> {
  // One more than asked for tells whether there is a next page.
  const runs = await journal.list({ operation: OPERATION, limit: limit + 1, before });
  const shown = runs.slice(0, limit);
  return {
    items: await Promise.all(shown.map((run) => listed(journal, run))),
    next: runs.length > limit ? shown.at(-1)!.id : null,
    total: await journal.count({ operation: OPERATION }),
  };
}

async function listed(journal: Journal, run: Run): Promise<ListedProof> {
  const entries = run.state === "refused" ? [] : await journal.entries(run.id);
  const noted = entries.findLast(({ step, event }) => step === NOTED && event === "done");
  const result = (noted?.output as unknown as ProofResult | undefined) ?? null;
  return {
    id: run.id,
    state: stateOf(run, result),
    started_at: run.createdAt,
    finished_at: run.finishedAt,
    says: run.error?.message ?? null,
    result,
  };
}

function stateOf({ state }: Run, result: ProofResult | null): ListedProof["state"] {
  if (state === "running") return "running";
  if (result) return result.proven ? "proven" : "bad";
  return state === "completed" ? "proven" : state;
}
