import { sql, type Updateable } from "kysely";
import type { Clock } from "../core/clock.ts";
import { HomelabError } from "../core/errors.ts";
import { isRunId, runIdToUuid, type RunId } from "../core/ids.ts";
import { oneAtATime } from "../store/advisory.ts";
import type { PlatformDatabase, PlatformTransaction } from "../store/database.ts";
import type { Tables } from "../store/tables.ts";
import {
  LEASE_SECONDS,
  type Admission,
  type Claim,
  type Holder,
  type ImportableJournal,
  type Journal,
  type NewRun,
  type Run,
  type RunRecord,
  type RunState,
  type StepEntry,
} from "./journal.ts";
import { isSameHolder } from "./merge.ts";
import { PlatformExtension } from "./platform-extension.ts";
import { exportFromPlatform, importIntoPlatform } from "./platform-import.ts";
import {
  birthOf,
  endOf,
  fingerprintHash,
  holderOf,
  rowFromStep,
  runFromWorkflow,
  stepFromRow,
  type WorkflowRow,
} from "./platform-rows.ts";
import { jsonText } from "./rows.ts";

/** What the store in the platform database needs of its process. */
export interface PlatformJournalOptions {
  database: PlatformDatabase;
  clock: Clock;
  holder: Holder;
  isAlive(holder: Holder): boolean;
  /** Whether this process is the one that may run operations: then nobody else does, whatever its lease says. */
  leads?(): boolean;
}

/**
 * The journal in the platform database, where every hub and other programs read it. Lines are committed without a wait
 * for the disk unless they are durable: a crash of the server may take the last ones, and their steps are looked at again.
 */
export function openPlatformJournal(options: PlatformJournalOptions): ImportableJournal {
  return new PlatformJournal(options);
}

class PlatformJournal implements ImportableJournal {
  readonly #options: PlatformJournalOptions;
  readonly #extension: PlatformExtension;

  constructor(options: PlatformJournalOptions) {
    this.#options = options;
    this.#extension = new PlatformExtension(options.database);
  }

  begin(run: NewRun): Promise<Admission> {
    return this.#session(async (db) => {
      await oneAtATime(db, "journal");
      const same = await running(db).where("fingerprint", "=", fingerprintHash(run)).executeTakeFirst();
      if (same) return { kind: "same", run: runFromWorkflow(same) };
      for (const lock of run.locks) {
        const other = await holderOfLock(db, lock);
        if (other) return { kind: "locked", lock, run: runFromWorkflow(other) };
      }
      const claimed = { epoch: 1, holder: jsonText(this.#options.holder), lease_until: this.#leaseEnd() };
      await db
        .insertInto("workflows")
        .values({ ...birthOf(run), ...endOf("running", null, {}), ...claimed, started_at: this.#now() })
        .execute();
      const locks = [...new Set(run.locks)].map((name) => ({ workflow_id: runIdToUuid(run.id), name }));
      if (locks.length > 0) await db.insertInto("workflow_locks").values(locks).execute();
      return { kind: "claimed", claim: { runId: run.id, epoch: 1 } };
    });
  }

  takeOver(id: RunId): Promise<Claim | undefined> {
    return this.#session(async (db) => {
      if (!isRunId(id)) return undefined;
      const row = await running(db).where("id", "=", runIdToUuid(id)).forUpdate().executeTakeFirst();
      if (!row || this.#isHeld(row)) return undefined;
      const claim = { runId: id, epoch: row.epoch + 1 };
      await db
        .updateTable("workflows")
        .set({ epoch: claim.epoch, holder: jsonText(this.#options.holder), lease_until: this.#leaseEnd() })
        .where("id", "=", row.id)
        .execute();
      return claim;
    });
  }

  async renew(claim: Claim): Promise<void> {
    await this.#session((db) => update(db, claim, { lease_until: this.#leaseEnd() }), false);
  }

  async release(claim: Claim): Promise<void> {
    await this.#session((db) => update(db, claim, { lease_until: new Date(0) }));
  }

  async append(
    claim: Claim,
    entry: Pick<StepEntry, "step" | "event"> & Partial<StepEntry>,
    durable = false,
  ): Promise<void> {
    await this.#session(async (db) => {
      // The row is locked by this, so that no two lines get one number.
      await update(db, claim, { current_step: entry.step, progress: null, lease_until: this.#leaseEnd() });
      const last = await db
        .selectFrom("workflow_steps")
        .select((eb) => eb.fn.max("seq").as("seq"))
        .where("workflow_id", "=", runIdToUuid(claim.runId))
        .executeTakeFirst();
      const line = { barrier: false, output: null, says: null, ...entry };
      const row = rowFromStep(claim.runId, { ...line, seq: (last?.seq ?? 0) + 1, at: this.#now().toISOString() });
      await db.insertInto("workflow_steps").values(row).execute();
    }, durable);
  }

  async progress(claim: Claim, progress: Run["progress"]): Promise<void> {
    const change = { progress: jsonText(progress), lease_until: this.#leaseEnd() };
    await this.#session((db) => update(db, claim, change), false);
  }

  async finish(...[claim, state, outcome]: Parameters<Journal["finish"]>): Promise<void> {
    await this.#session(async (db) => {
      const end = endOf(state, this.#now().toISOString(), outcome);
      await update(db, claim, { ...end, current_step: null, progress: null });
      await db.deleteFrom("workflow_locks").where("workflow_id", "=", runIdToUuid(claim.runId)).execute();
    });
  }

  get(id: RunId): Promise<Run | undefined> {
    return this.#session(async (db) => {
      if (!isRunId(id)) return undefined;
      const row = await runs(db).where("id", "=", runIdToUuid(id)).executeTakeFirst();
      return row && runFromWorkflow(row);
    });
  }

  entries(id: RunId, afterSeq = 0): Promise<StepEntry[]> {
    return this.#session(async (db) => {
      if (!isRunId(id)) return [];
      const found = db.selectFrom("workflow_steps").selectAll().where("workflow_id", "=", runIdToUuid(id));
      const rows = await found.where("seq", ">", afterSeq).orderBy("seq").execute();
      return rows.map(stepFromRow);
    });
  }

  list({ before, limit = 50, ...filter }: Parameters<Journal["list"]>[0] = {}): Promise<Run[]> {
    return this.#session(async (db) => {
      if (before !== undefined && !isRunId(before)) return [];
      const found = runs(db)
        .where((eb) => eb.and(wanted(filter)))
        .orderBy("id", "desc")
        .limit(limit);
      const rows = await (before ? found.where("id", "<", runIdToUuid(before)) : found).execute();
      return rows.map(runFromWorkflow);
    });
  }

  count(filter: Parameters<Journal["count"]>[0] = {}): Promise<number> {
    return this.#session(async (db) => {
      const counted = db.selectFrom("workflows").select((eb) => eb.fn.countAll<string>().as("n"));
      const row = await counted
        .where("operation", "is not", null)
        .where((eb) => eb.and(wanted(filter)))
        .executeTakeFirstOrThrow();
      return Number(row.n);
    });
  }

  interrupted(): Promise<Run[]> {
    return this.#session(async (db) => {
      const rows = await running(db).orderBy("id").execute();
      return rows.filter((row) => !this.#isHeld(row)).map(runFromWorkflow);
    });
  }

  requestCancel(id: RunId): Promise<boolean> {
    return this.#session(async (db) => {
      if (!isRunId(id)) return false;
      const changed = await db
        .updateTable("workflows")
        .set({ cancel_requested: true })
        .where("id", "=", runIdToUuid(id))
        .where("state", "=", "running")
        .executeTakeFirst();
      return changed.numUpdatedRows === 1n;
    });
  }

  export(id: RunId): Promise<RunRecord | undefined> {
    return this.#session(async (db) => (isRunId(id) ? exportFromPlatform(db, id) : undefined));
  }

  async import(record: RunRecord, durable = true): Promise<"written" | "stale"> {
    if (await this.#extension.tried(record, durable)) return "written";
    return this.#session((db) => importIntoPlatform(db, record), durable);
  }

  /** The database is its owner's to close. */
  async close(): Promise<void> {}

  #session<T>(work: (db: PlatformTransaction) => Promise<T>, durable = true): Promise<T> {
    return this.#options.database.session(async (db) => {
      if (!durable) await sql`SET LOCAL synchronous_commit = off`.execute(db);
      return work(db);
    });
  }

  /** Whether a process of this machine lives can be seen; of another machine's only its lease tells. */
  #isHeld(row: WorkflowRow): boolean {
    const holder = holderOf(row);
    if (!holder || row.lease_until === null || row.lease_until < this.#now()) return false;
    const own = this.#options.holder;
    if (this.#options.leads?.()) return isSameHolder(holder, own);
    return holder.bootId !== own.bootId || this.#options.isAlive(holder);
  }

  #now(): Date {
    return new Date(this.#options.clock.now());
  }

  #leaseEnd(): Date {
    return new Date(this.#options.clock.now() + LEASE_SECONDS * 1000);
  }
}

/** Workflows that operations are; others may be written by whoever deploys apps. */
const runs = (db: PlatformTransaction) => db.selectFrom("workflows").selectAll().where("operation", "is not", null);

/** The conditions of a filter, as columns that must be equal. */
const wanted = ({ state, operation }: { state?: RunState; operation?: string }) => ({
  ...(state ? { state } : {}),
  ...(operation ? { operation } : {}),
});

const running = (db: PlatformTransaction) => runs(db).where("state", "=", "running");

/** The run that holds off a lock: by the very same path, one above it or one below it. */
function holderOfLock(db: PlatformTransaction, lock: string): Promise<WorkflowRow | undefined> {
  return db
    .selectFrom("workflows")
    .selectAll("workflows")
    .innerJoin("workflow_locks", "workflow_locks.workflow_id", "workflows.id")
    .where(
      sql<boolean>`workflow_locks.name = ${lock} OR starts_with(${lock}, workflow_locks.name || '/')
        OR starts_with(workflow_locks.name, ${`${lock}/`})`,
    )
    .executeTakeFirst();
}

/** @throws HomelabError `lease_lost` when the claim is not the run's any more */
async function update(
  db: PlatformTransaction,
  { runId, epoch }: Claim,
  change: Updateable<Tables["workflows"]>,
): Promise<void> {
  const changed = await db
    .updateTable("workflows")
    .set(change)
    .where("id", "=", runIdToUuid(runId))
    .where("epoch", "=", epoch)
    .where("state", "=", "running")
    .executeTakeFirst();
  if (changed.numUpdatedRows !== 1n)
    throw new HomelabError("lease_lost", `the run ${runId} was taken over by another process`);
}
