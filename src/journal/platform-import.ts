import { sql } from "kysely";
import { runIdToUuid, type RunId } from "../core/ids.ts";
import { oneAtATime } from "../store/advisory.ts";
import type { PlatformTransaction } from "../store/database.ts";
import type { RunRecord } from "./journal.ts";
import { mergeOf, type KnownRun } from "./merge.ts";
import { holderOf, rowFromRecord, rowFromStep, runFromWorkflow, stepFromRow } from "./platform-rows.ts";

/** All that the platform database has of a run. */
export async function exportFromPlatform(db: PlatformTransaction, id: RunId): Promise<RunRecord | undefined> {
  const uuid = runIdToUuid(id);
  const row = await db.selectFrom("workflows").selectAll().where("id", "=", uuid).executeTakeFirst();
  if (!row || row.operation === null) return undefined;
  const steps = await db
    .selectFrom("workflow_steps")
    .selectAll()
    .where("workflow_id", "=", uuid)
    .orderBy("seq")
    .execute();
  const locks = await db.selectFrom("workflow_locks").select("name").where("workflow_id", "=", uuid).execute();
  return {
    run: runFromWorkflow(row),
    entries: steps.map(stepFromRow),
    holder: holderOf(row),
    epoch: row.epoch,
    leaseUntil: row.lease_until?.getTime() ?? 0,
    locks: locks.map(({ name }) => name).sort(),
  };
}

/** Writes down what another store has of a run. */
export async function importIntoPlatform(db: PlatformTransaction, record: RunRecord): Promise<"written" | "stale"> {
  await oneAtATime(db, "journal");
  const id = runIdToUuid(record.run.id);
  const merge = mergeOf(await knownRun(db, id), record);
  if (merge === "stale") return "stale";
  if (merge === "old") return "written";
  await writeRun(db, record);
  if (merge === "replace") await db.deleteFrom("workflow_steps").where("workflow_id", "=", id).execute();
  const steps = record.entries.map((entry) => rowFromStep(record.run.id, entry));
  if (steps.length > 0) {
    await db
      .insertInto("workflow_steps")
      .values(steps)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  await db.deleteFrom("workflow_locks").where("workflow_id", "=", id).execute();
  const locks = record.locks.map((name) => ({ workflow_id: id, name }));
  if (locks.length > 0) await db.insertInto("workflow_locks").values(locks).execute();
  return "written";
}

async function knownRun(db: PlatformTransaction, id: string): Promise<KnownRun | undefined> {
  const row = await db.selectFrom("workflows").selectAll().where("id", "=", id).forUpdate().executeTakeFirst();
  return row && { epoch: row.epoch, holder: holderOf(row), over: row.state !== "running" };
}

/** A wish to cancel is never taken back: whichever store heard it. */
async function writeRun(db: PlatformTransaction, record: RunRecord): Promise<void> {
  const { id, ...row } = rowFromRecord(record);
  await db
    .insertInto("workflows")
    .values({ id, ...row })
    .onConflict((conflict) =>
      conflict.column("id").doUpdateSet({
        ...row,
        cancel_requested: sql<boolean>`workflows.cancel_requested OR excluded.cancel_requested`,
      }),
    )
    .execute();
}
