import { errorTable, HomelabError } from "../../core/errors.ts";
import { isRunId } from "../../core/ids.ts";
import { printable } from "../../core/text.ts";
import { formatSeconds } from "../../core/units.ts";
import type { OperationBody } from "../api/contract.ts";
import type { Context } from "../context.ts";
import { Departure } from "../departure.ts";
import { followBegun, followToEnd } from "../operate.ts";
import { table } from "../output.ts";

/** What is no id of an operation is not one that is there. @throws HomelabError `not_found` */
function paramsOf(id: string): { params: { id: string } } {
  if (isRunId(id)) return { params: { id } };
  throw new HomelabError("not_found", `there is no operation ${printable(id)}`, {
    hint: "homelab op list shows them.",
  });
}

export async function list(context: Context, flags: { limit?: number }): Promise<void> {
  const page = await (await context.api()).list("GET /api/operations", {}, flags.limit ?? 20);
  if (context.flags.json) return context.out.json(page);
  table(context.out, ["ID", "OPERATION", "ON", "STATE", "BEGUN", "TOOK"], page.items.map(row));
  if (page.items.length === 0) context.out.note("No operation yet.");
}

function row(run: OperationBody): string[] {
  const subject = Object.values(run.input as object).find((value) => typeof value === "string") ?? "-";
  const took = run.finished_at ? formatSeconds((Date.parse(run.finished_at) - Date.parse(run.created_at)) / 1000) : "-";
  return [run.id, run.operation, printable(subject), run.state, run.created_at, took];
}

export async function show(context: Context, id: string): Promise<void> {
  const api = await context.api();
  const run = await api.call("GET /api/operations/{id}", paramsOf(id));
  if (run.state === "running") process.exitCode = errorTable.busy.exit;
  if (context.flags.json) return context.out.json(run);
  const log = await api.call("GET /api/operations/{id}/log", paramsOf(id));
  context.out.line(`${run.id}  ${run.operation}  ${run.state}`);
  context.out.line(`input   ${printable(JSON.stringify(run.input))}`);
  context.out.line(`caller  ${printable(run.caller)}, ${run.created_at}`);
  if (run.error) context.out.line(`error   ${printable(run.error.message)}`);
  table(
    context.out,
    ["AT", "STEP", "EVENT", "SAYS"],
    log.items.map((entry) => [entry.at, entry.step, entry.event, printable(entry.says ?? "-")]),
  );
}

/** Follows a run to its end, whoever does it. */
export async function watch(context: Context, id: string): Promise<void> {
  const run = await (await context.api()).call("GET /api/operations/{id}", paramsOf(id));
  const departure = new Departure(context);
  try {
    const end = await followToEnd(context, run, departure.signal);
    if (context.flags.json) context.out.json(end);
    else context.out.note(`${end.operation} ${end.state}`);
  } catch (error) {
    throw departure.signal.aborted ? departure.error(`homelab op watch ${id} follows it.`) : error;
  } finally {
    departure.end();
  }
}

/** Asks a run to stop at its next step. */
export async function cancel(context: Context, id: string): Promise<void> {
  const run = await (await context.api()).call("POST /api/operations/{id}/cancel", paramsOf(id));
  if (context.flags.json) return context.out.json(run);
  context.out.note(`${run.operation} stops at its next step, and takes back what it can`);
}

/** The same again: what is done already is skipped. */
export async function retry(context: Context, id: string): Promise<void> {
  const api = await context.api();
  const input = paramsOf(id);
  const end = await followBegun(context, (query, signal) =>
    api.call("POST /api/operations/{id}/retry", { ...input, query }, signal),
  );
  if (!end) return;
  if (context.flags.json) context.out.json(end);
  else context.out.note(`${end.operation} completed`);
}
