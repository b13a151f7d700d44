import { sleep } from "../../src/core/clock.ts";
import type { Callers } from "./callers.ts";
import type { Fuzzer } from "./fuzzer.ts";
import { PASSWORD, WARDEN } from "./hints.ts";

/** How long a deleted database can be brought back in the home that is fuzzed: short, so that one can be dropped for good too. */
export const UNDELETE_WITHIN_SECONDS = 5;

/** The first things in a new home, in their order: what comes at random could not know it. */
export async function open(fuzzer: Fuzzer, callers: Callers): Promise<void> {
  const { path } = (await fuzzer.call("POST /api/setup/link")).body as { path: string };
  const json = { token: path.split("#")[1]!, user_name: WARDEN, password: PASSWORD };
  const { answer } = await fuzzer.call("POST /api/setup", { json, caller: "none" });
  callers.session = String(answer.headers["set-cookie"]).split(";")[0]!;
  for (const name of ["fuzz_a", "fuzz_b", "fuzz_c"])
    await fuzzer.call("POST /api/databases", { json: { database_name: name } });
  await fuzzer.call("POST /api/databases/{name}/rotate", { path: { name: "fuzz_a" }, query: { wait: "30" } });
  await fuzzer.call("POST /api/databases/{name}/finish-rotation", { path: { name: "fuzz_a" }, query: { wait: "30" } });
  await fuzzer.call("POST /api/session/confirm", { json: { password: PASSWORD }, caller: "browser" });
  await fuzzer.call("POST /api/session/password", { json: { current: PASSWORD, next: PASSWORD }, caller: "browser" });
  await cancelOne(fuzzer);
  await deleteAndBringBack(fuzzer);
}

/** An operation can only be stopped while it runs; the first try nearly always comes in time. */
async function cancelOne(fuzzer: Fuzzer): Promise<void> {
  for (let i = 0; i < 8 && !fuzzer.covered.has("POST /api/operations/{id}/cancel"); i++) {
    const { body } = await fuzzer.call("POST /api/operations", {
      json: { operation: "database.provision", input: { name: `fuzz_cancelled_${i}` } },
    });
    await fuzzer.call("POST /api/operations/{id}/cancel", { path: { id: String(body["id"]) } }).catch(() => {});
    await fuzzer.call("GET /api/operations/{id}", { path: { id: String(body["id"]) }, query: { wait: "30" } });
  }
}

async function deleteAndBringBack(fuzzer: Fuzzer): Promise<void> {
  const remove = async (name: string) => {
    const { body } = await fuzzer.call("DELETE /api/databases/{name}", { path: { name }, query: { wait: "30" } });
    return String((body["result"] as Record<string, unknown>)["deleted_name"]);
  };
  await remove("fuzz_b");
  await fuzzer.call("POST /api/databases/{name}/undelete", { path: { name: "fuzz_b" }, query: { wait: "30" } });
  const deletedName = await remove("fuzz_c");
  await sleep((UNDELETE_WITHIN_SECONDS + 0.2) * 1000);
  await fuzzer.call("DELETE /api/deleted-databases/{deleted_name}", {
    path: { deleted_name: deletedName },
    query: { wait: "30" },
  });
}
