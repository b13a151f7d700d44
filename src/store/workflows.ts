import type { PlatformTransaction } from "./database.ts";
import type { Tables } from "./tables.ts";
import type { Selectable } from "kysely";

/** The columns of `workflows` that other programs read: the journal's own are the operations'. */
const COLUMNS = [
  "id",
  "name",
  "status",
  "workflow_type",
  "created_by",
  "started_at",
  "completed_at",
  "error_message",
  "workflow_metadata",
  "current_step",
  "total_steps",
] as const;

export type WorkflowRow = Pick<Selectable<Tables["workflows"]>, (typeof COLUMNS)[number]>;

/** What is wanted of the workflows. */
export interface WorkflowFilter {
  status?: WorkflowRow["status"];
  workflow_type?: string;
  /** Only older ones than this id. */
  before?: string;
  limit: number;
}

/** Workflows, the newest first, and how many there are in all. */
export async function listWorkflows(
  db: PlatformTransaction,
  { status, workflow_type, before, limit }: WorkflowFilter,
): Promise<{ rows: WorkflowRow[]; total: number }> {
  const fitting = db
    .selectFrom("workflows")
    .$if(status !== undefined, (query) => query.where("status", "=", status!))
    .$if(workflow_type !== undefined, (query) => query.where("workflow_type", "=", workflow_type!));
  const rows = await fitting
    .$if(before !== undefined, (query) => query.where("id", "<", before!))
    .select(COLUMNS)
    .orderBy("id", "desc")
    .limit(limit)
    .execute();
  const { total } = await fitting.select(({ fn }) => fn.countAll<string>().as("total")).executeTakeFirstOrThrow();
  return { rows, total: Number(total) };
}

/** One workflow, or undefined. */
export const findWorkflow = (db: PlatformTransaction, id: string): Promise<WorkflowRow | undefined> =>
  db.selectFrom("workflows").select(COLUMNS).where("id", "=", id).executeTakeFirst();
