import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { Clock } from "../core/clock.ts";
import { HomelabError } from "../core/errors.ts";
import type { RunId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { exportFromFile, importIntoFile } from "./file-import.ts";
import {
  LEASE_SECONDS,
  type Admission,
  type Claim,
  type Holder,
  type Journal,
  type LocalJournal,
  type NewRun,
  type Obstacle,
  type Run,
  type RunRecord,
  type StepEntry,
} from "./journal.ts";
import { fingerprintOf } from "./merge.ts";
import { entryFromRow, jsonText, runFromRow, type EntryRow, type RunRow } from "./rows.ts";
import { schemaSteps } from "./schema.ts";

/** What the file store needs of its process. */
export interface FileJournalOptions {
  path: string;
  clock: Clock;
  holder: Holder;
  isAlive(holder: Holder): boolean;
}

/**
 * The journal in one SQLite file: it works before there is a PostgreSQL, and while PostgreSQL is the patient.
 * In WAL mode with `synchronous = NORMAL` a line survives the death of any process at once; a power cut may take the
 * last lines, and then their steps are looked at again. A barrier, the begin and the end of a run are forced to disk.
 */
export function openFileJournal(options: FileJournalOptions): LocalJournal {
  return new FileJournal(options);
}

class FileJournal implements LocalJournal {
  readonly #db: DatabaseSync;
  readonly #options: FileJournalOptions;
  readonly #statements = new Map<string, StatementSync>();

  constructor(options: FileJournalOptions) {
    this.#options = options;
    this.#db = new DatabaseSync(options.path, { timeout: 10_000 });
    this.#db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON");
    this.#migrate();
  }

  async begin(run: NewRun): Promise<Admission> {
    return this.#transaction(true, () => {
      const obstacle = this.#obstacle(run);
      if (obstacle) return obstacle;
      this.#run(
        `INSERT INTO runs (id, operation, title, input, fingerprint, steps, state, caller, created_at, holder, lease_until)
         VALUES (?, ?, ?, ?, ?, ?, 'running', ?, ?, ?, ?)`,
        ...[
          run.id,
          run.operation,
          run.title ?? null,
          JSON.stringify(run.input),
          fingerprintOf(run),
          JSON.stringify(run.steps),
        ],
        ...[run.caller, this.#now(), JSON.stringify(this.#options.holder), this.#leaseEnd()],
      );
      for (const lock of run.locks) this.#run("INSERT INTO locks (name, run_id) VALUES (?, ?)", lock, run.id);
      return { kind: "claimed", claim: { runId: run.id, epoch: 1 } };
    });
  }

  async takeOver(id: RunId): Promise<Claim | undefined> {
    return this.#transaction(true, () => {
      const row = this.#row<RunRow>("SELECT * FROM runs WHERE id = ? AND state = 'running'", id);
      if (!row || this.#isHeld(row)) return undefined;
      const epoch = row.epoch + 1;
      const holder = JSON.stringify(this.#options.holder);
      this.#run(
        "UPDATE runs SET epoch = ?, holder = ?, lease_until = ? WHERE id = ?",
        epoch,
        holder,
        this.#leaseEnd(),
        id,
      );
      return { runId: id, epoch };
    });
  }

  async renew(claim: Claim): Promise<void> {
    this.#update(claim, "lease_until = ?", this.#leaseEnd());
  }

  async release(claim: Claim): Promise<void> {
    this.#update(claim, "lease_until = 0");
  }

  async append(
    claim: Claim,
    entry: Pick<StepEntry, "step" | "event"> & Partial<StepEntry>,
    durable = false,
  ): Promise<void> {
    this.#transaction(durable, () => {
      this.#update(claim, "current_step = ?, progress = NULL, lease_until = ?", entry.step, this.#leaseEnd());
      this.#run(
        `INSERT INTO entries (run_id, seq, at, step, event, barrier, output, says)
         VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM entries WHERE run_id = ?1), ?2, ?3, ?4, ?5, ?6, ?7)`,
        ...[claim.runId, this.#now(), entry.step, entry.event, entry.barrier ? 1 : 0],
        ...[jsonText(entry.output), entry.says ?? null],
      );
    });
  }

  async progress(claim: Claim, progress: Run["progress"]): Promise<void> {
    this.#update(claim, "progress = ?, lease_until = ?", progress && JSON.stringify(progress), this.#leaseEnd());
  }

  async finish(claim: Claim, state: Run["state"], outcome: { result?: Json; error?: Run["error"] }): Promise<void> {
    this.#transaction(true, () => {
      this.#update(
        claim,
        "state = ?, finished_at = ?, result = ?, error = ?, current_step = NULL, progress = NULL",
        ...[state, this.#now(), jsonText(outcome.result), jsonText(outcome.error)],
      );
      this.#run("DELETE FROM locks WHERE run_id = ?", claim.runId);
    });
  }

  async get(id: RunId): Promise<Run | undefined> {
    const row = this.#row<RunRow>("SELECT * FROM runs WHERE id = ?", id);
    return row && runFromRow(row);
  }

  async entries(id: RunId, afterSeq = 0): Promise<StepEntry[]> {
    return this.#rows<EntryRow>("SELECT * FROM entries WHERE run_id = ? AND seq > ? ORDER BY seq", id, afterSeq).map(
      entryFromRow,
    );
  }

  async list(filter: Parameters<Journal["list"]>[0] = {}): Promise<Run[]> {
    const { state = null, operation = null, before = null, limit = 50 } = filter;
    const rows = this.#rows<RunRow>(
      `SELECT * FROM runs WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR operation = ?2) AND (?3 IS NULL OR id < ?3)
       ORDER BY id DESC LIMIT ?4`,
      ...[state, operation, before, limit],
    );
    return rows.map(runFromRow);
  }

  async count(filter: Parameters<Journal["count"]>[0] = {}): Promise<number> {
    const { state = null, operation = null } = filter;
    const row = this.#row<{ n: number }>(
      "SELECT count(*) AS n FROM runs WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR operation = ?2)",
      ...[state, operation],
    );
    return row!.n;
  }

  async interrupted(): Promise<Run[]> {
    const rows = this.#rows<RunRow>("SELECT * FROM runs WHERE state = 'running' ORDER BY id");
    return rows.filter((row) => !this.#isHeld(row)).map(runFromRow);
  }

  async requestCancel(id: RunId): Promise<boolean> {
    return this.#run("UPDATE runs SET cancel_requested = 1 WHERE id = ? AND state = 'running'", id) === 1;
  }

  async export(id: RunId): Promise<RunRecord | undefined> {
    return exportFromFile(this.#db, id);
  }

  async import(record: RunRecord, durable = true): Promise<"written" | "stale"> {
    return this.#transaction(durable, () => importIntoFile(this.#db, record));
  }

  async obstacle(run: NewRun): Promise<Obstacle | undefined> {
    return this.#obstacle(run);
  }

  async unsynced(): Promise<RunId[]> {
    return this.#rows<{ id: RunId }>("SELECT id FROM runs WHERE synced = 0 ORDER BY id").map(({ id }) => id);
  }

  async noteSynced(id: RunId, synced: boolean): Promise<void> {
    this.#run("UPDATE runs SET synced = ? WHERE id = ? AND state <> 'running'", synced ? 1 : 0, id);
  }

  async forget({ runId, epoch }: Claim): Promise<void> {
    this.#run("DELETE FROM runs WHERE id = ? AND epoch <= ?", runId, epoch);
  }

  async close(): Promise<void> {
    this.#statements.clear();
    this.#db.close();
  }

  #obstacle(run: NewRun): Obstacle | undefined {
    const same = this.#row<RunRow>(
      "SELECT * FROM runs WHERE state = 'running' AND fingerprint = ?",
      fingerprintOf(run),
    );
    if (same) return { kind: "same", run: runFromRow(same) };
    for (const lock of run.locks) {
      const holder = this.#row<RunRow>(
        // Locks are paths: one holds off itself, what is above it and what is below it.
        `SELECT r.* FROM locks l JOIN runs r ON r.id = l.run_id
         WHERE l.name = ?1 OR substr(?1, 1, length(l.name) + 1) = l.name || '/' OR substr(l.name, 1, length(?1) + 1) = ?1 || '/'`,
        lock,
      );
      if (holder) return { kind: "locked", lock, run: runFromRow(holder) };
    }
    return undefined;
  }

  /** A run is held while its process lives and renews its lease. */
  #isHeld(row: RunRow): boolean {
    if (row.holder === null || row.lease_until < this.#options.clock.now()) return false;
    return this.#options.isAlive(JSON.parse(row.holder) as Holder);
  }

  #update(claim: Claim, assignments: string, ...values: SQLInputValue[]): void {
    const changed = this.#run(
      `UPDATE runs SET ${assignments} WHERE id = ? AND epoch = ? AND state = 'running'`,
      ...values,
      claim.runId,
      claim.epoch,
    );
    if (changed !== 1) throw new HomelabError("lease_lost", `the run ${claim.runId} was taken over by another process`);
  }

  #migrate(): void {
    this.#transaction(true, () => {
      const { user_version: version } = this.#db.prepare("PRAGMA user_version").get() as { user_version: number };
      if (version > schemaSteps.length) {
        throw new HomelabError("failed", "the journal was written by a newer homelab", {
          hint: "Use that version, or a newer one.",
        });
      }
      for (const step of schemaSteps.slice(version)) this.#db.exec(step);
      this.#db.exec(`PRAGMA user_version = ${schemaSteps.length}`);
    });
  }

  #transaction<T>(durable: boolean, work: () => T): T {
    this.#db.exec(durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #row<T>(sql: string, ...values: SQLInputValue[]): T | undefined {
    return this.#statement(sql).get(...values) as T | undefined;
  }

  #rows<T>(sql: string, ...values: SQLInputValue[]): T[] {
    return this.#statement(sql).all(...values) as T[];
  }

  #run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }

  #leaseEnd(): number {
    return this.#options.clock.now() + LEASE_SECONDS * 1000;
  }
}
