import { z } from "zod";
import { instant, page, pageQuery, plan, unsafeQuery, type Contract } from "../endpoint.ts";

const workflow = z
  .strictObject({
    id: z.uuid(),
    name: z.string(),
    status: z.enum(["pending", "running", "completed", "failed", "paused"]),
    workflow_type: z.string(),
    created_by: z.string().nullable(),
    started_at: instant,
    completed_at: instant.nullable(),
    error_message: z.string().nullable(),
    workflow_metadata: z.unknown(),
    current_step: z.string().nullable(),
    total_steps: z.int().nullable(),
  })
  .meta({ id: "Workflow" });

const taskStatus = z.enum(["pending", "in_progress", "completed", "cancelled"]);
const taskType = z.enum(["dns_manual", "approval_required", "verification"]);
const taskPriority = z.enum(["low", "medium", "high", "critical"]);

const task = z
  .strictObject({
    id: z.uuid(),
    workflow_id: z.uuid().nullable(),
    title: z.string(),
    description: z.string().nullable(),
    task_type: taskType,
    status: taskStatus,
    priority: taskPriority,
    assigned_to: z.string().nullable(),
    instructions: z.unknown(),
    created_at: instant,
    completed_at: instant.nullable(),
    task_metadata: z.unknown(),
  })
  .meta({ id: "Task" });

/** A text for a column: PostgreSQL's texts hold no zero character. */
const columnText = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .regex(/^[^\u0000]*$/, "must not hold a zero character")
    .refine((text) => text.isWellFormed(), "must be well-formed Unicode");

const uuid = z.uuid();

export const platformContract = {
  "GET /api/platform/health": {
    summary: "Whether the platform's own database answers",
    tag: "platform",
    scope: "read",
    answers: { 200: z.strictObject({ healthy: z.boolean(), message: z.string() }) },
  },
  "GET /api/platform/migrations": {
    summary: "The revision of the platform database, and the newest one",
    tag: "platform",
    scope: "read",
    answers: {
      200: z.strictObject({ current: z.string().nullable(), head: z.string(), pending: z.array(z.string()) }),
    },
  },
  "GET /api/workflows": {
    summary: "What the platform ran, as the platform database has it, the newest first",
    tag: "platform",
    scope: "read",
    query: pageQuery.omit({ sort: true }).extend({
      cursor: uuid.optional(),
      status: workflow.shape.status.optional(),
      workflow_type: columnText(100).optional(),
    }),
    answers: { 200: page(workflow) },
  },
  "GET /api/workflows/{id}": {
    summary: "One workflow",
    tag: "platform",
    scope: "read",
    params: z.strictObject({ id: uuid }),
    answers: { 200: workflow },
  },
  "GET /api/tasks": {
    summary: "What a person must do or approve, the newest first",
    tag: "platform",
    scope: "read",
    query: pageQuery.omit({ sort: true }).extend({ status: taskStatus.optional() }),
    answers: { 200: page(task) },
  },
  "POST /api/tasks": {
    summary: "Add a task for a person",
    tag: "platform",
    change: "task.create",
    query: unsafeQuery,
    scope: "operate",
    body: z.strictObject({
      title: columnText(255),
      description: columnText(10_000).optional(),
      task_type: taskType,
      priority: taskPriority.default("medium"),
      assigned_to: columnText(255).optional(),
      workflow_id: uuid.optional(),
    }),
    answers: { 200: plan, 201: task },
  },
  "PATCH /api/tasks/{id}": {
    summary: "Take a task up, complete or cancel it",
    tag: "platform",
    change: "task.change",
    query: unsafeQuery,
    scope: "operate",
    params: z.strictObject({ id: uuid }),
    body: z.strictObject({ status: taskStatus }),
    answers: { 200: z.union([task, plan]) },
  },
} as const satisfies Contract;
