import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { uuidv7 } from "../../src/core/ids.ts";
import type { PlatformDatabase } from "../../src/store/database.ts";
import { migrate } from "../../src/store/migrate.ts";
import { revisions } from "../../src/store/migrations/index.ts";
import { TemporaryPostgres } from "../harness/temporary-postgres.ts";

/** The five tables that other programs read, column by column, and what a deletion takes along: a contract. */
let server: TemporaryPostgres;
let name: string;
let database: PlatformDatabase;

beforeAll(async () => {
  server = await TemporaryPostgres.start();
});
afterAll(() => server.destroy());
beforeEach(async () => {
  name = await server.createDatabase();
  database = server.open(name);
});

const ask = <R>(text: string, values: unknown[] = []) => server.query<R>(name, text, values);

/** What the contract says of a column: its type, `!` for NOT NULL, and its default. */
const TABLES: Record<string, Record<string, string>> = {
  workflows: {
    id: "uuid!",
    name: "character varying(255)!",
    status: "workflow_status!",
    workflow_type: "character varying(100)!",
    created_by: "character varying(255)",
    started_at: "timestamp with time zone! now()",
    completed_at: "timestamp with time zone",
    error_message: "text",
    workflow_metadata: "jsonb! '{}'::jsonb",
    current_step: "character varying(255)",
    total_steps: "integer",
  },
  tasks: {
    id: "uuid!",
    workflow_id: "uuid",
    title: "character varying(255)!",
    description: "text",
    task_type: "task_type!",
    status: "task_status!",
    priority: "task_priority!",
    assigned_to: "character varying(255)",
    instructions: "jsonb",
    created_at: "timestamp with time zone!",
    completed_at: "timestamp with time zone",
    task_metadata: "jsonb",
  },
  artifacts: {
    id: "uuid!",
    filename: "character varying(255)!",
    original_filename: "character varying(255)!",
    file_type: "file_type!",
    storage_path: "character varying(512)!",
    file_size: "bigint!",
    checksum_sha256: "character varying(64)",
    uploaded_by: "character varying(255)",
    uploaded_at: "timestamp with time zone!",
    detected_service_type: "character varying(100)",
    detected_framework: "character varying(100)",
    analysis_complete: "boolean",
    analysis_status: "analysis_status",
    analysis_result: "jsonb",
    artifact_metadata: "jsonb",
    requires_database: "boolean",
  },
  deployments: {
    id: "uuid!",
    workflow_id: "uuid!",
    artifact_id: "uuid",
    service_name: "character varying(255)!",
    service_type: "character varying(100)",
    domain: "character varying(255)",
    status: "deployment_status!",
    deployed_at: "timestamp with time zone",
    configuration: "jsonb",
    health_status: "health_status",
    last_health_check: "timestamp with time zone",
    rollout_strategy: "character varying(50)! 'rolling'::character varying",
    previous_deployment_id: "uuid",
    health_check_url: "text",
  },
  domain_records: {
    id: "uuid!",
    deployment_id: "uuid",
    domain: "character varying(255)!",
    subdomain: "character varying(255)",
    record_type: "record_type!",
    record_value: "character varying(512)",
    ttl: "integer! 3600",
    auto_managed: "boolean",
    dns_provider: "character varying(100)",
    status: "record_status!",
    verified_at: "timestamp with time zone",
    last_verified: "timestamp with time zone",
    priority: "integer",
    provider_record_id: "character varying(255)",
    record_metadata: "jsonb",
  },
};

const ENUMS: Record<string, string> = {
  workflow_status: "pending, running, completed, failed, paused",
  task_type: "dns_manual, approval_required, verification",
  task_status: "pending, in_progress, completed, cancelled",
  task_priority: "low, medium, high, critical",
  file_type: "zip, tar, directory, single_file",
  analysis_status: "pending, analyzing, complete, failed",
  deployment_status: "deploying, running, stopped, failed, removed",
  health_status: "healthy, unhealthy, unknown",
  record_type: "A, CNAME, TXT, MX, AAAA",
  record_status: "pending, active, failed, removed",
};

describe("the five tables", () => {
  const columns = async (table: string) => {
    const rows = await ask<{ name: string; says: string }>(
      `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN '!' ELSE '' END
              || coalesce(' ' || pg_get_expr(d.adbin, d.adrelid), '') AS says
       FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
       WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
      [table],
    );
    return Object.fromEntries(rows.map((row) => [row.name, row.says]));
  };

  test.each(Object.keys(TABLES))("%s has the columns that the contract says", async (table) => {
    await migrate(database, revisions[0]!.name);
    expect(await columns(table)).toEqual(TABLES[table]);
  });

  test.each(Object.keys(TABLES))("%s has them at the head too, whatever was added", async (table) => {
    await migrate(database);
    expect(await columns(table)).toMatchObject(TABLES[table]!);
  });

  test("know the states that the contract says", async () => {
    await migrate(database);
    const rows = await ask<{ name: string; values: string }>(
      `SELECT t.typname AS name, string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) AS values
       FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.typname`,
    );
    expect(Object.fromEntries(rows.map((row) => [row.name, row.values]))).toEqual(ENUMS);
  });

  test("have an index for each reference, so that a deletion reads no table whole", async () => {
    await migrate(database);
    const rows = await ask<{ reference: string }>(
      `SELECT c.conrelid::regclass || '.' || a.attname AS reference FROM pg_constraint c
       JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
       WHERE c.contype = 'f' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1])`,
    );
    expect(rows).toEqual([]);
  });
});

describe("what a deletion takes along", () => {
  const [workflow, artifact, first, second, task, record] = [1, 2, 3, 4, 5, 6].map(uuidv7) as [string, ...string[]];

  beforeEach(async () => {
    await migrate(database);
    await ask("INSERT INTO workflows (id, name, status, workflow_type) VALUES ($1, 'w', 'completed', 'deploy')", [
      workflow,
    ]);
    await ask(
      `INSERT INTO artifacts (id, filename, original_filename, file_type, storage_path, file_size, uploaded_at)
       VALUES ($1, 'a', 'a.zip', 'zip', 'a', 5000000000, now())`,
      [artifact],
    );
    const deployment = `INSERT INTO deployments (id, workflow_id, artifact_id, service_name, status, previous_deployment_id)
      VALUES ($1, $2, $3, 's', 'running', $4)`;
    await ask(deployment, [first, workflow, artifact, null]);
    await ask(deployment, [second, workflow, artifact, first]);
    await ask(
      `INSERT INTO tasks (id, workflow_id, title, task_type, status, priority, created_at)
       VALUES ($1, $2, 't', 'verification', 'pending', 'low', now())`,
      [task, workflow],
    );
    await ask(
      "INSERT INTO domain_records (id, deployment_id, domain, record_type, status) VALUES ($1, $2, 'd', 'A', 'active')",
      [record, second],
    );
  });

  const deployments = () =>
    ask("SELECT id, artifact_id, previous_deployment_id AS before FROM deployments ORDER BY id");

  test("of an artifact: nothing, its deployments forget it", async () => {
    await ask("DELETE FROM artifacts");
    expect(await deployments()).toEqual([
      { id: first, artifact_id: null, before: null },
      { id: second, artifact_id: null, before: first },
    ]);
  });

  test("of a deployment: nothing, the next one and its domain record forget it", async () => {
    await ask("DELETE FROM deployments WHERE id = $1", [first]);
    expect(await deployments()).toEqual([{ id: second, artifact_id: artifact, before: null }]);
    await ask("DELETE FROM deployments");
    expect(await ask("SELECT id, deployment_id FROM domain_records")).toEqual([{ id: record, deployment_id: null }]);
  });

  test("of a workflow: its deployments, while its tasks forget it", async () => {
    await ask("DELETE FROM workflows");
    expect(await deployments()).toEqual([]);
    expect(await ask("SELECT id, workflow_id FROM tasks")).toEqual([{ id: task, workflow_id: null }]);
    expect(await ask("SELECT id FROM artifacts")).toHaveLength(1);
    expect(await ask("SELECT deployment_id FROM domain_records")).toEqual([{ deployment_id: null }]);
  });
});
