import { errorTable, HomelabError, type ErrorCode } from "../core/errors.ts";
import type { Api } from "./api/client.ts";
import type { Body, EntryBody, OperationBody } from "./api/contract.ts";
import type { Context } from "./context.ts";
import { Departure } from "./departure.ts";
import { makeFollower, type StepLines } from "./follow.ts";
import { dryRun, isPlan, showPlan } from "./show-plan.ts";

/** The answer of a route that begins an operation: the operation, or for a dry run its plan. */
type Begun = Body<"POST /api/operations">;

/**
 * Has the hub run an operation, and shows how it goes. Ctrl-C, --no-wait and a passed --timeout leave it running.
 * Answers its end; undefined after a dry run and after --no-wait.
 * @throws HomelabError with the operation's own error
 */
export async function operate(context: Context, operation: string, input: object): Promise<OperationBody | undefined> {
  const api = await context.api();
  const body = { operation, input: input as Record<string, unknown> };
  return followBegun(context, (query, signal) => api.call("POST /api/operations", { query, body }, signal));
}

/** The same for any route that begins an operation. */
export async function followBegun(
  context: Context,
  begin: (query: { dry_run: "true" | "false" }, signal: AbortSignal) => Promise<Begun>,
): Promise<OperationBody | undefined> {
  const { flags, out } = context;
  const departure = new Departure(context);
  let id: string | undefined;
  try {
    const begun = await begin(dryRun(context), departure.signal);
    if (isPlan(begun)) showPlan(context, begun);
    else {
      id = begun.id;
      if (flags.wait !== false) return await followToEnd(context, begun, departure.signal);
      process.exitCode = errorTable.busy.exit;
      if (flags.json) out.json(begun);
      else out.line(id);
    }
    return undefined;
  } catch (error) {
    if (!departure.signal.aborted) throw error;
    throw departure.error(
      id ? `homelab op watch ${id} follows it.` : "homelab op list shows it, if it was begun at all.",
    );
  } finally {
    departure.end();
  }
}

/** Shows the lines of a run to its end, and answers that. @throws HomelabError with its error; whatever, once `signal` is aborted */
export async function followToEnd(context: Context, run: OperationBody, signal: AbortSignal): Promise<OperationBody> {
  const follower = makeFollower(context);
  try {
    const end = run.state === "running" ? await lastOf(await context.api(), run.id, follower, signal) : run;
    if (end.state === "completed") return end;
    throw errorOf(end);
  } finally {
    follower.end();
  }
}

async function lastOf(api: Api, id: string, follower: StepLines, signal: AbortSignal): Promise<OperationBody> {
  for await (const { event, data } of api.events("GET /api/operations/{id}/events", { params: { id } }, signal)) {
    if (event === "step") follower.entry(data as EntryBody);
    if (event === "progress") {
      const { step, ...progress } = data as NonNullable<OperationBody["progress"]> & { step: string };
      follower.progress(step, progress);
    }
    if (event === "end") return data as OperationBody;
  }
  throw new Error("left before its end");
}

/** The error that a run ended with, as if it had been thrown here. */
function errorOf({ operation, state, error }: OperationBody): HomelabError {
  if (!error) return new HomelabError("failed", `${operation} ended as ${state}`);
  const code = Object.hasOwn(errorTable, error.code) ? (error.code as ErrorCode) : "failed";
  return new HomelabError(code, error.message, { hint: error.hint });
}
