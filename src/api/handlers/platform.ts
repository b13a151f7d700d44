import { HomelabError } from "../../core/errors.ts";
import type { PlatformDatabase } from "../../store/database.ts";
import { migrationStatus } from "../../store/migrate.ts";
import { changeTask, createTask, listTasks, type TaskRow } from "../../store/tasks.ts";
import { findWorkflow, listWorkflows, type WorkflowRow } from "../../store/workflows.ts";
import type { Handlers } from "../call.ts";
import type { platformContract } from "../contract/platform.ts";
import { paginate } from "../paging.ts";
import type { Services } from "../services.ts";

/** The platform's own records. */
export function platformHandlers({ platform, site, remembered }: Services): Handlers<typeof platformContract> {
  const { clock } = site;
  const database = (): PlatformDatabase => {
    if (platform) return platform;
    throw new HomelabError("platform_database_away", "the platform's database is the hub's, and there is no hub here");
  };
  return {
    "GET /api/platform/health": async () => {
      const healthy = platform ? await platform.health() : { healthy: false, message: "there is no hub here" };
      return { status: 200, body: healthy };
    },
    "GET /api/platform/migrations": async () => {
      const { value } = await remembered.ask("migrations", { freshFor: 0 }, () => migrationStatus(database()));
      return { status: 200, body: value };
    },
    "GET /api/workflows": async ({ query: { limit, cursor, status, workflow_type } }) => {
      const filter = { status, workflow_type, before: cursor, limit: limit + 1 };
      const look = () => database().session((db) => listWorkflows(db, filter));
      const { value } = await remembered.ask(`workflows ${JSON.stringify(filter)}`, { freshFor: 0 }, look);
      const rows = value.rows.slice(0, limit);
      const next = value.rows.length > limit ? rows.at(-1)!.id : null;
      return { status: 200, body: { items: rows.map(workflowBody), next_cursor: next, total: value.total } };
    },
    "GET /api/workflows/{id}": async ({ params: { id } }) => {
      const row = await database().session((db) => findWorkflow(db, id));
      if (!row) throw new HomelabError("not_found", `there is no workflow ${id}`);
      return { status: 200, body: workflowBody(row) };
    },
    "GET /api/tasks": async ({ query: { status, ...query } }) => {
      const look = () => database().session((db) => listTasks(db, status));
      const { value } = await remembered.ask(`tasks ${status ?? ""}`, { freshFor: 0 }, look);
      return { status: 200, body: paginate(value.map(taskBody), query, "id") };
    },
    "POST /api/tasks": async ({ body, audit }) => {
      const task = await createTask(database(), body, clock.now());
      audit({ action: "task.create", target: task.id, after: { title: task.title } });
      return { status: 201, body: taskBody(task), headers: { location: `/api/tasks/${task.id}` } };
    },
    "PATCH /api/tasks/{id}": async ({ params: { id }, body: { status }, audit }) => {
      const task = await changeTask(database(), id, status, clock.now());
      audit({ action: "task.change", target: id, after: { status } });
      return { status: 200, body: taskBody(task) };
    },
  };
}

const iso = (at: Date | null): string | null => at?.toISOString() ?? null;

const workflowBody = (row: WorkflowRow) => ({
  ...row,
  started_at: row.started_at.toISOString(),
  completed_at: iso(row.completed_at),
});

const taskBody = (row: TaskRow) => ({
  ...row,
  created_at: row.created_at.toISOString(),
  completed_at: iso(row.completed_at),
});
