import type { DatabaseSync } from "node:sqlite";
import type { RunId } from "../core/ids.ts";
import type { Holder, RunRecord, StepEntry } from "./journal.ts";
import { fingerprintOf, mergeOf, type KnownRun } from "./merge.ts";
import { entryFromRow, jsonText, runFromRow, type EntryRow, type RunRow } from "./rows.ts";

const holderOf = (row: RunRow): Holder | null => (row.holder === null ? null : (JSON.parse(row.holder) as Holder));

/** All that the file has of a run. */
export function exportFromFile(db: DatabaseSync, id: RunId): RunRecord | undefined {
  const row = db.prepare("SELECT * FROM runs WHERE id = ?").get(id) as RunRow | undefined;
  if (!row) return undefined;
  const entries = db.prepare("SELECT * FROM entries WHERE run_id = ? ORDER BY seq").all(id) as unknown as EntryRow[];
  const locks = db.prepare("SELECT name FROM locks WHERE run_id = ? ORDER BY name").all(id) as { name: string }[];
  return {
    run: runFromRow(row),
    entries: entries.map(entryFromRow),
    holder: holderOf(row),
    epoch: row.epoch,
    leaseUntil: row.lease_until,
    locks: locks.map(({ name }) => name),
  };
}

/** Writes down what another store has of a run; runs inside a transaction. */
export function importIntoFile(db: DatabaseSync, record: RunRecord): "written" | "stale" {
  const { id } = record.run;
  const merge = mergeOf(knownRun(db, id), record);
  if (merge === "stale") return "stale";
  if (merge === "old") return "written";
  writeRun(db, record);
  if (merge === "replace") db.prepare("DELETE FROM entries WHERE run_id = ?").run(id);
  for (const entry of record.entries) writeEntry(db, id, entry);
  db.prepare("DELETE FROM locks WHERE run_id = ?").run(id);
  for (const lock of record.locks) db.prepare("INSERT INTO locks (name, run_id) VALUES (?, ?)").run(lock, id);
  return "written";
}

function knownRun(db: DatabaseSync, id: RunId): KnownRun | undefined {
  const row = db.prepare("SELECT * FROM runs WHERE id = ?").get(id) as RunRow | undefined;
  return row && { epoch: row.epoch, holder: holderOf(row), over: row.state !== "running" };
}

const RUN_COLUMNS = [
  ...["id", "operation", "title", "input", "fingerprint", "steps", "state", "current_step", "progress", "caller"],
  ...["created_at", "finished_at", "result", "error", "cancel_requested", "epoch", "holder", "lease_until"],
];

/** A wish to cancel is never taken back: whichever store heard it. */
const UPSERT = `
  INSERT INTO runs (${RUN_COLUMNS.join(", ")}) VALUES (${RUN_COLUMNS.map(() => "?").join(", ")})
  ON CONFLICT (id) DO UPDATE SET ${RUN_COLUMNS.filter((name) => name !== "id" && name !== "cancel_requested")
    .map((name) => `${name} = excluded.${name}`)
    .join(", ")}, cancel_requested = max(runs.cancel_requested, excluded.cancel_requested)`;

function writeRun(db: DatabaseSync, { run, epoch, holder, leaseUntil }: RunRecord): void {
  db.prepare(UPSERT).run(
    ...[run.id, run.operation, run.title ?? null, JSON.stringify(run.input), fingerprintOf(run)],
    ...[JSON.stringify(run.steps), run.state, run.currentStep, jsonText(run.progress), run.caller],
    ...[run.createdAt, run.finishedAt, jsonText(run.result), jsonText(run.error), run.cancelRequested ? 1 : 0],
    ...[epoch, jsonText(holder), leaseUntil],
  );
}

function writeEntry(db: DatabaseSync, id: RunId, { seq, at, step, event, barrier, output, says }: StepEntry): void {
  db.prepare(
    "INSERT OR IGNORE INTO entries (run_id, seq, at, step, event, barrier, output, says) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  ).run(id, seq, at, step, event, barrier ? 1 : 0, jsonText(output), says);
}
