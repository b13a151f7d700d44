import { z } from "zod";
import { inAddress, instant, operationQuery, page, pageQuery, plan, type Contract } from "../endpoint.ts";

const runId = z.string().regex(/^op_[0-7][0-9A-HJKMNP-TV-Z]{25}$/, "expected the id of an operation");

const progress = z.strictObject({
  done: z.number(),
  total: z.number().nullable(),
  unit: z.enum(["bytes", "rows", "steps", "seconds"]),
});

/** An operation as the API answers it. */
export const operation = z
  .strictObject({
    id: z.string(),
    operation: z.string(),
    title: z.string(),
    state: z.enum(["running", "completed", "failed", "refused", "cancelled"]),
    input: z.unknown(),
    caller: z.string(),
    steps: z.array(z.string()),
    current_step: z.string().nullable(),
    progress: progress.nullable(),
    created_at: instant,
    finished_at: instant.nullable(),
    result: z.unknown(),
    error: z.strictObject({ code: z.string(), message: z.string(), hint: z.string().optional() }).nullable(),
    cancel_requested: z.boolean(),
  })
  .meta({ id: "Operation" });

/** A line of an operation's history. */
export const stepEntry = z
  .strictObject({
    seq: z.int(),
    at: instant,
    step: z.string(),
    event: z.enum(["started", "done", "skipped", "undoing", "undone", "entered", "left"]),
    barrier: z.boolean(),
    says: z.string().nullable(),
  })
  .meta({ id: "StepEntry" });

const idParams = z.strictObject({ id: runId });

export const operationsContract = {
  "GET /api/operations": {
    summary: "What was done and is being done, the newest first",
    tag: "operations",
    scope: "read",
    query: pageQuery.omit({ sort: true }).extend({
      cursor: runId.optional(),
      state: z.enum(["running", "completed", "failed", "refused", "cancelled"]).optional(),
      operation: z
        .string()
        .regex(/^[a-z-]+\.[a-z-]+$/)
        .optional(),
    }),
    answers: { 200: page(operation) },
  },
  "POST /api/operations": {
    summary: "Start any operation by its name",
    tag: "operations",
    scope: "read",
    query: operationQuery,
    body: z.strictObject({ operation: z.string().max(100), input: z.record(z.string(), z.unknown()).default({}) }),
    answers: { 200: plan, 202: operation },
  },
  "GET /api/operations/{id}": {
    summary: "One operation",
    tag: "operations",
    scope: "read",
    params: idParams,
    query: operationQuery.pick({ wait: true }),
    answers: { 200: operation },
  },
  "GET /api/operations/{id}/log": {
    summary: "An operation's history, step by step",
    tag: "operations",
    scope: "read",
    params: idParams,
    query: z.strictObject({ after: inAddress(z.int().min(0).default(0).describe("Only lines behind this one")) }),
    answers: { 200: z.strictObject({ items: z.array(stepEntry), next: z.int(), completed: z.boolean() }) },
  },
  "GET /api/operations/{id}/events": {
    summary: "Follow an operation: server-sent events, to be resumed with Last-Event-ID",
    tag: "operations",
    scope: "read",
    params: idParams,
    answers: { 200: null },
    produces: "text/event-stream",
  },
  "POST /api/operations/{id}/cancel": {
    summary: "Ask an operation to stop at its next step, and to take back what it can",
    tag: "operations",
    scope: "read",
    params: idParams,
    answers: { 202: operation },
  },
  "POST /api/operations/{id}/retry": {
    summary: "The same again: what is done already is skipped",
    tag: "operations",
    scope: "read",
    params: idParams,
    query: operationQuery,
    answers: { 200: plan, 202: operation },
  },
} as const satisfies Contract;
