import { proofList } from "../../reports/proofs.ts";
import type { Run } from "../../journal/journal.ts";
import type { Handlers } from "../call.ts";
import type { proofsContract } from "../contract/proofs.ts";
import type { Services } from "../services.ts";

/** What was proven, as the journal knows it. */
export function proofHandlers({ journal }: Services): Handlers<typeof proofsContract> {
  return {
    "GET /api/proofs": async ({ query: { limit, cursor } }) => {
      const { items, next, total } = await proofList(journal, { limit, before: cursor as Run["id"] | undefined });
      return { status: 200, body: { items, next_cursor: next, total } };
    },
  };
}
