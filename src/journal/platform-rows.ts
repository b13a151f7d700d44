import type { Insertable, Selectable } from "kysely";
import { createHash } from "node:crypto";
import type { ErrorRecord } from "../core/errors.ts";
import { runIdToUuid, uuidToRunId, type RunId } from "../core/ids.ts";
import type { Tables } from "../store/tables.ts";
import type { Holder, NewRun, Progress, Run, RunRecord, RunState, StepEntry, StepEvent } from "./journal.ts";
import { fingerprintOf } from "./merge.ts";
import { jsonText } from "./rows.ts";

export type WorkflowRow = Selectable<Tables["workflows"]>;
type NewWorkflow = Insertable<Tables["workflows"]>;

/** Columns of the five tables are as wide as the contract says. */
const cut = (text: string, length: number): string => Array.from(text).slice(0, length).join("");

/** PostgreSQL's text holds every character but this one. */
const withoutZeros = (text: string): string => text.replaceAll("\0", "\ufffd");

/** Runs are listed by an index, and an input may be long. */
export const fingerprintHash = (run: Parameters<typeof fingerprintOf>[0]): string =>
  createHash("sha256").update(fingerprintOf(run)).digest("hex");

/** What others read of a run: refused and cancelled ones failed, as far as the five states go. */
const statusOf = (state: RunState): WorkflowRow["status"] =>
  state === "running" || state === "completed" ? state : "failed";

/** What is written when a run begins, and never changes. */
export function birthOf(run: Pick<NewRun, "id" | "operation" | "title" | "input" | "steps" | "caller">) {
  return {
    id: runIdToUuid(run.id),
    name: cut(withoutZeros(run.title ?? run.operation), 255),
    workflow_type: cut(run.operation.slice(run.operation.indexOf(".") + 1), 100),
    created_by: cut(withoutZeros(run.caller), 255),
    total_steps: run.steps.length,
    operation: run.operation,
    input: JSON.stringify(run.input),
    steps: JSON.stringify(run.steps),
    fingerprint: fingerprintHash(run),
  } satisfies Partial<NewWorkflow>;
}

/** What is written when a run ends. */
export function endOf(state: RunState, at: string | null, outcome: { result?: Run["result"]; error?: Run["error"] }) {
  return {
    state,
    status: statusOf(state),
    completed_at: at === null ? null : new Date(at),
    result: jsonText(outcome.result),
    error: jsonText(outcome.error),
    error_message: outcome.error ? withoutZeros(outcome.error.message) : null,
  } satisfies Partial<NewWorkflow>;
}

/** A whole run as a row. */
export function rowFromRecord({ run, epoch, holder, leaseUntil }: RunRecord): NewWorkflow {
  return {
    ...birthOf(run),
    ...endOf(run.state, run.finishedAt, run),
    started_at: new Date(run.createdAt),
    current_step: run.currentStep,
    progress: jsonText(run.progress),
    cancel_requested: run.cancelRequested,
    epoch,
    holder: jsonText(holder),
    lease_until: new Date(leaseUntil),
  };
}

export function runFromWorkflow(row: WorkflowRow): Run {
  const operation = row.operation!;
  return {
    id: uuidToRunId(row.id),
    operation,
    ...(row.name === operation ? {} : { title: row.name }),
    input: row.input,
    state: row.state as RunState,
    steps: row.steps as string[],
    currentStep: row.current_step,
    progress: row.progress as Progress | null,
    caller: row.created_by ?? "",
    createdAt: row.started_at.toISOString(),
    finishedAt: row.completed_at?.toISOString() ?? null,
    result: row.result,
    error: row.error as ErrorRecord | null,
    cancelRequested: row.cancel_requested,
  };
}

export const holderOf = (row: WorkflowRow): Holder | null => row.holder as Holder | null;

export function stepFromRow(row: Selectable<Tables["workflow_steps"]>): StepEntry {
  return {
    seq: row.seq,
    at: row.at.toISOString(),
    step: row.step,
    event: row.event as StepEvent,
    barrier: row.barrier,
    output: row.output,
    says: row.says,
  };
}

export function rowFromStep(id: RunId, entry: StepEntry): Insertable<Tables["workflow_steps"]> {
  const { seq, at, step, event, barrier, output, says } = entry;
  return {
    ...{ workflow_id: runIdToUuid(id), seq, at: new Date(at), step, event, barrier },
    ...{ output: jsonText(output), says: says === null ? null : withoutZeros(says) },
  };
}
