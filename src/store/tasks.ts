import type { Selectable } from "kysely";
import { HomelabError } from "../core/errors.ts";
import { uuidv7 } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import type { PlatformDatabase, PlatformTransaction } from "./database.ts";
import type { Tables } from "./tables.ts";

/** A row of `tasks`: what a person must do or approve. */
export type TaskRow = Selectable<Tables["tasks"]>;

/** What a new task says. */
export interface NewTask {
  title: string;
  description?: string;
  task_type: TaskRow["task_type"];
  priority: TaskRow["priority"];
  assigned_to?: string;
  workflow_id?: string;
  instructions?: Json;
}

/** What may come after what. */
const NEXT: Record<TaskRow["status"], readonly TaskRow["status"][]> = {
  pending: ["in_progress", "completed", "cancelled"],
  in_progress: ["pending", "completed", "cancelled"],
  completed: [],
  cancelled: [],
};

/** All tasks that fit, the newest first. */
export const listTasks = (db: PlatformTransaction, status?: TaskRow["status"]): Promise<TaskRow[]> =>
  db
    .selectFrom("tasks")
    .selectAll()
    .$if(status !== undefined, (query) => query.where("status", "=", status!))
    .orderBy("id", "desc")
    .limit(10_000)
    .execute();

/** @throws HomelabError `not_found` when it names a workflow that there is not */
export async function createTask(database: PlatformDatabase, task: NewTask, now: number): Promise<TaskRow> {
  const { instructions, ...rest } = task;
  return database.session(async (db) => {
    const known =
      task.workflow_id &&
      (await db.selectFrom("workflows").select("id").where("id", "=", task.workflow_id).executeTakeFirst());
    if (task.workflow_id && !known) throw new HomelabError("not_found", `there is no workflow ${task.workflow_id}`);
    return db
      .insertInto("tasks")
      .values({
        description: null,
        assigned_to: null,
        workflow_id: null,
        ...rest,
        id: uuidv7(now),
        status: "pending",
        instructions: instructions === undefined ? null : JSON.stringify(instructions),
        created_at: new Date(now),
        completed_at: null,
        task_metadata: "{}",
      })
      .returningAll()
      .executeTakeFirstOrThrow();
  });
}

/** Moves a task on. @throws HomelabError `not_found`, `already_ended` */
export async function changeTask(
  database: PlatformDatabase,
  id: string,
  status: TaskRow["status"],
  now: number,
): Promise<TaskRow> {
  return database.session(async (db) => {
    const task = await db.selectFrom("tasks").selectAll().where("id", "=", id).forUpdate().executeTakeFirst();
    if (!task) throw new HomelabError("not_found", `there is no task ${id}`);
    if (task.status === status) return task;
    if (!NEXT[task.status].includes(status))
      throw new HomelabError("already_ended", `the task is ${task.status} already`);
    const ended = status === "completed" || status === "cancelled";
    return db
      .updateTable("tasks")
      .set({ status, completed_at: ended ? new Date(now) : null })
      .where("id", "=", id)
      .returningAll()
      .executeTakeFirstOrThrow();
  });
}
