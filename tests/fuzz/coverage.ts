import fc from "fast-check";
import { validDrafts } from "./drafts.ts";
import type { Fuzzer } from "./fuzzer.ts";

/** Routes that nothing here can make succeed, each with its reason. */
export const EXCEPTIONS: Record<string, string> = {
  "GET /api/session/sso": "there is no provider here; tests/features/sso.test.ts has one",
  "GET /api/session/sso/callback": "there is no provider here; tests/features/sso.test.ts has one",
  "POST /api/proofs": "there is no backup here; tests/features/proof.test.ts has one",
  "POST /api/restores": "there is no backup here; tests/features/restore-beside.test.ts has one",
  "POST /api/restores/{name}/switch-to": "nothing was restored here; tests/features/restore-beside.test.ts has it",
  "DELETE /api/restores/{name}": "nothing was restored here; tests/features/restore-beside.test.ts has it",
  "POST /api/databases/{name}/switch-back": "nothing was restored here; tests/features/restore-beside.test.ts has it",
  "POST /api/cluster/restore": "there is no backup here; tests/features/restore-in-place.test.ts has one",
  "POST /api/cluster/undo-restore": "nothing was restored here; tests/features/restore-in-place.test.ts has it",
  "POST /api/databases/{name}/branches": "its masks name columns; tests/features/branch.test.ts has them",
  "POST /api/databases/{name}/import": "no random bytes are a dump; tests/features/export-import.test.ts has some",
  "DELETE /api/storage/{name}": "the last repository stays; tests/features/storage-s3.test.ts has more",
};

/** Requests in a row that a route gets at the end, if nothing that the document allows has succeeded there yet. */
const LAST_TRIES = 150;

/** Tries the routes that did not succeed yet, as those who may; answers which ones never did. */
export async function uncovered(fuzzer: Fuzzer, seed: number): Promise<string[]> {
  const missing = fuzzer.routes.filter(({ key }) => !fuzzer.covered.has(key) && !(key in EXCEPTIONS));
  for (const route of missing) {
    for (const draft of fc.sample(validDrafts(route, fuzzer.values), { numRuns: LAST_TRIES, seed })) {
      await fuzzer.exchange(route, { ...draft, caller: draft.variant % 2 === 0 ? "admin" : "browser" });
      if (fuzzer.covered.has(route.key)) break;
    }
  }
  return missing.map(({ key }) => key).filter((key) => !fuzzer.covered.has(key));
}
