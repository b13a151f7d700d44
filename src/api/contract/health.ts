import { z } from "zod";
import { LOGGED_SERVICES } from "../../reports/logs.ts";
import { inAddress, instant, type Contract } from "../endpoint.ts";

const state = z.enum(["ok", "degraded", "down", "unknown"]);

const healthReport = z
  .strictObject({
    state,
    at: instant,
    stale: z.boolean(),
    checks: z.array(
      z.strictObject({
        name: z.string(),
        state,
        says: z.string(),
        facts: z.record(z.string(), z.unknown()).optional(),
        hint: z.string().optional(),
      }),
    ),
    versions: z.array(
      z.strictObject({
        engine: z.string(),
        installed: z.string(),
        fixed_in: z.string(),
        says: z.string(),
        source: z.string(),
        effect: z.string(),
      }),
    ),
  })
  .meta({ id: "HealthReport" });

const clusterStatus = z
  .strictObject({
    cluster: z.string(),
    state,
    stopped: z.boolean(),
    node: z.string(),
    postgres_version: z.string(),
    home: z.string(),
    services: z.array(
      z.strictObject({
        name: z.string(),
        state,
        says: z.string(),
        pid: z.int().nullable(),
        ports: z.array(z.int()),
      }),
    ),
    databases: z.strictObject({ count: z.int(), size_bytes: z.number().nullable() }).nullable(),
    disk_free_bytes: z.number(),
    events: z.array(z.strictObject({ at: instant, service: z.string(), says: z.string() })),
    observed_at: instant,
    stale: z.boolean(),
  })
  .meta({ id: "ClusterStatus" });

/** Flat, and at most twelve fields: widgets of other dashboards show it as it is. */
const summary = z
  .strictObject({
    state,
    says: z.string(),
    databases: z.int().nullable(),
    size_bytes: z.number().nullable(),
    connections: z.int().nullable(),
    disk_free_bytes: z.number(),
    operations_running: z.int(),
    operations_failed_24h: z.int(),
    last_backup_at: instant.nullable(),
    postgres_version: z.string(),
    observed_at: instant,
    stale: z.boolean(),
  })
  .meta({ id: "Summary" });

const archiving = z.strictObject({
  state,
  says: z.string(),
  last_segment: z.string().nullable(),
  last_archived_at: instant.nullable(),
  waiting_segments: z.int(),
  hours_left: z.number().nullable().describe("Until the disk of the WAL is full, while nothing is archived"),
});

const databaseStatus = z
  .strictObject({
    cluster: z.string(),
    postgres_version: z.string(),
    state,
    troubles: z.array(z.strictObject({ name: z.string(), state, says: z.string(), hint: z.string().optional() })),
    recoverable: z
      .strictObject({ from: instant, to: instant, says: z.string() })
      .nullable()
      .describe("Any second of it can be had back; null when nothing can"),
    last_proven: z.strictObject({ label: z.string(), at: instant }).nullable(),
    archiving: archiving.nullable(),
    last_backup: z.strictObject({ label: z.string(), type: z.string(), at: instant }).nullable(),
    next_backup: z.strictObject({ type: z.string(), at: instant }).nullable(),
    repositories: z.array(
      z.strictObject({
        name: z.string(),
        type: z.enum(["disk", "s3"]),
        free_bytes: z.number().nullable(),
        trouble: z.string().nullable(),
      }),
    ),
    nodes: z.array(
      z.strictObject({
        name: z.string(),
        role: z.string().nullable(),
        state: z.string().nullable(),
        timeline: z.int().nullable(),
        disk_free_bytes: z.number(),
        connections: z.int().nullable(),
        max_connections: z.int().nullable(),
      }),
    ),
    databases: z.strictObject({ count: z.int(), size_bytes: z.number().nullable() }).nullable(),
    pools: z.strictObject({ clients: z.int(), waiting: z.int() }).nullable(),
    observed_at: instant,
    stale: z.boolean(),
  })
  .meta({ id: "DatabaseStatus" });

const serviceName = z.enum(LOGGED_SERVICES);

const lineCount = z.int().max(5000);

const logQuery = z.strictObject({
  tail: inAddress(lineCount.min(1).default(200).describe("This many lines at the end")),
  since: z
    .string()
    .regex(/^\d{1,6}(ms|s|min|m|h|d)$/)
    .optional()
    .describe("Only the last 30min, 1h, 2d"),
  level: z.enum(["info", "warn", "error"]).optional().describe("Only lines from this level up"),
});

export const healthContract = {
  "GET /api/health": {
    summary: "Every check, and what is known of the engines' versions",
    tag: "health",
    scope: "read",
    answers: { 200: healthReport },
  },
  "GET /api/cluster": {
    summary: "One screen: is it up, where is it, what is in it",
    tag: "health",
    scope: "read",
    answers: { 200: clusterStatus },
  },
  "GET /api/summary": {
    summary: "The whole in twelve flat fields",
    tag: "health",
    scope: "read",
    answers: { 200: summary },
  },
  "GET /api/database-status": {
    summary: "One screen: what can be had back, when that was proven, and how the cluster is",
    tag: "health",
    scope: "read",
    answers: { 200: databaseStatus },
  },
  "GET /api/hubs": {
    summary: "Which hub answers, and which one leads",
    tag: "health",
    scope: "read",
    answers: { 200: z.strictObject({ leads: z.boolean(), leader: z.string().nullable(), version: z.string() }) },
  },
  "GET /api/logs/{service}": {
    summary: "The end of a service's log",
    tag: "health",
    scope: "operate",
    params: z.strictObject({ service: serviceName }),
    query: logQuery,
    answers: {
      200: z.strictObject({
        service: serviceName,
        lines: z.array(z.strictObject({ time: instant.nullable(), line: z.string() })),
      }),
    },
  },
  "GET /api/logs/{service}/events": {
    summary: "A service's log as it grows: server-sent events",
    tag: "health",
    scope: "operate",
    params: z.strictObject({ service: serviceName }),
    query: logQuery.extend({
      tail: inAddress(lineCount.min(0).default(0).describe("Begin with this many lines of its end")),
    }),
    answers: { 200: null },
    produces: "text/event-stream",
  },
  "GET /api/config": {
    summary: "The settings in effect and where each comes from; secrets redacted",
    tag: "health",
    scope: "operate",
    answers: {
      200: z.strictObject({
        values: z.array(z.strictObject({ setting: z.string(), value: z.unknown(), origin: z.string() })),
      }),
    },
  },
  "GET /api/events": {
    summary: "What happens, as it happens: server-sent events, to be resumed with Last-Event-ID",
    tag: "health",
    scope: "read",
    answers: { 200: null },
    produces: "text/event-stream",
  },
} as const satisfies Contract;
