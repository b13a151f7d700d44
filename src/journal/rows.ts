import type { ErrorRecord } from "../core/errors.ts";
import type { RunId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import type { Progress, Run, RunState, StepEntry, StepEvent } from "./journal.ts";

/** A row of `runs` as SQLite gives it. */
export interface RunRow {
  id: string;
  operation: string;
  title: string | null;
  input: string;
  steps: string;
  state: string;
  current_step: string | null;
  progress: string | null;
  caller: string;
  created_at: string;
  finished_at: string | null;
  result: string | null;
  error: string | null;
  cancel_requested: number;
  epoch: number;
  holder: string | null;
  lease_until: number;
}

/** A row of `entries`. */
export interface EntryRow {
  seq: number;
  at: string;
  step: string;
  event: string;
  barrier: number;
  output: string | null;
  says: string | null;
}

/** A value as both stores keep it: nothing is NULL, not the text `null`. */
export const jsonText = (value: unknown): string | null =>
  value === undefined || value === null ? null : JSON.stringify(value);

const json = <T>(text: string | null): T | null => (text === null ? null : (JSON.parse(text) as T));

export function runFromRow(row: RunRow): Run {
  return {
    id: row.id as RunId,
    operation: row.operation,
    ...(row.title === null ? {} : { title: row.title }),
    input: JSON.parse(row.input) as Json,
    state: row.state as RunState,
    steps: JSON.parse(row.steps) as string[],
    currentStep: row.current_step,
    progress: json<Progress>(row.progress),
    caller: row.caller,
    createdAt: row.created_at,
    finishedAt: row.finished_at,
    result: json<Json>(row.result),
    error: json<ErrorRecord>(row.error),
    cancelRequested: row.cancel_requested === 1,
  };
}

export function entryFromRow(row: EntryRow): StepEntry {
  return {
    seq: row.seq,
    at: row.at,
    step: row.step,
    event: row.event as StepEvent,
    barrier: row.barrier === 1,
    output: json<Json>(row.output),
    says: row.says,
  };
}
