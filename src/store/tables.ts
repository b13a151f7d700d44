import type { ColumnType } from "kysely";
import type { Json } from "../core/json.ts";
import type { AccountTables } from "./account-tables.ts";

/*
 * The rows of the platform database as kysely reads and writes them. Names and types are a contract with other programs
 * (docs: platform database); a migration changes them, and this file follows.
 */

/** Read as a value, written as text: the driver would make an array of PostgreSQL's own of a JSON list. */
type OptionalJson = ColumnType<Json, string | null | undefined, string | null>;

/** A column with a default in the database. */
type Defaulted<T> = ColumnType<T, T | undefined, T>;

/** A long operation of the platform. The columns behind `total_steps` are the journal's, null in a row of others. */
interface WorkflowsTable {
  id: string;
  name: string;
  status: "pending" | "running" | "completed" | "failed" | "paused";
  workflow_type: string;
  created_by: string | null;
  started_at: Defaulted<Date>;
  completed_at: Date | null;
  error_message: string | null;
  workflow_metadata: ColumnType<Json, string | undefined, string>;
  current_step: string | null;
  total_steps: number | null;
  operation: string | null;
  input: OptionalJson;
  state: string | null;
  steps: OptionalJson;
  /** SHA-256 of operation and input. */
  fingerprint: string | null;
  progress: OptionalJson;
  result: OptionalJson;
  error: OptionalJson;
  cancel_requested: Defaulted<boolean>;
  epoch: Defaulted<number>;
  holder: OptionalJson;
  lease_until: Date | null;
}

/** One line of a run's history. */
interface WorkflowStepsTable {
  workflow_id: string;
  seq: number;
  at: Date;
  step: string;
  event: string;
  barrier: boolean;
  output: OptionalJson;
  says: string | null;
}

/** What a run under way keeps others from touching. */
interface WorkflowLocksTable {
  workflow_id: string;
  name: string;
}

/** What a person must do or approve. */
interface TasksTable {
  id: string;
  workflow_id: string | null;
  title: string;
  description: string | null;
  task_type: "dns_manual" | "approval_required" | "verification";
  status: "pending" | "in_progress" | "completed" | "cancelled";
  priority: "low" | "medium" | "high" | "critical";
  assigned_to: string | null;
  instructions: OptionalJson;
  created_at: Date;
  completed_at: Date | null;
  task_metadata: OptionalJson;
}

/** An uploaded file. */
interface ArtifactsTable {
  id: string;
  filename: string;
  original_filename: string;
  file_type: "zip" | "tar" | "directory" | "single_file";
  storage_path: string;
  /** A bigint, as text. */
  file_size: ColumnType<string, number | string, number | string>;
  checksum_sha256: string | null;
  uploaded_by: string | null;
  uploaded_at: Date;
  detected_service_type: string | null;
  detected_framework: string | null;
  analysis_complete: boolean | null;
  analysis_status: "pending" | "analyzing" | "complete" | "failed" | null;
  analysis_result: OptionalJson;
  artifact_metadata: OptionalJson;
  requires_database: boolean | null;
}

/** An app that was deployed. */
interface DeploymentsTable {
  id: string;
  workflow_id: string;
  artifact_id: string | null;
  service_name: string;
  service_type: string | null;
  domain: string | null;
  status: "deploying" | "running" | "stopped" | "failed" | "removed";
  deployed_at: Date | null;
  configuration: OptionalJson;
  health_status: "healthy" | "unhealthy" | "unknown" | null;
  last_health_check: Date | null;
  rollout_strategy: Defaulted<string>;
  previous_deployment_id: string | null;
  health_check_url: string | null;
}

/** A name in the DNS. */
interface DomainRecordsTable {
  id: string;
  deployment_id: string | null;
  domain: string;
  subdomain: string | null;
  record_type: "A" | "CNAME" | "TXT" | "MX" | "AAAA";
  record_value: string | null;
  ttl: Defaulted<number>;
  auto_managed: boolean | null;
  dns_provider: string | null;
  status: "pending" | "active" | "failed" | "removed";
  verified_at: Date | null;
  last_verified: Date | null;
  priority: number | null;
  provider_record_id: string | null;
  record_metadata: OptionalJson;
}

/** Which revisions the schema has been through. */
interface SchemaRevisionsTable {
  revision: string;
  applied_at: Defaulted<Date>;
}

/** An answer that was given under an Idempotency-Key, sealed. */
interface IdempotencyKeysTable {
  id: string;
  sealed: string;
  created_at: Defaulted<Date>;
}

/** Every table, by its name. */
export interface Tables extends AccountTables {
  workflows: WorkflowsTable;
  workflow_steps: WorkflowStepsTable;
  workflow_locks: WorkflowLocksTable;
  tasks: TasksTable;
  artifacts: ArtifactsTable;
  deployments: DeploymentsTable;
  domain_records: DomainRecordsTable;
  idempotency_keys: IdempotencyKeysTable;
  schema_revisions: SchemaRevisionsTable;
}
