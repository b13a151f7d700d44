import type { Revision } from "./revision.ts";

const TYPES = [
  "CREATE TYPE workflow_status AS ENUM ('pending', 'running', 'completed', 'failed', 'paused')",
  "CREATE TYPE task_type AS ENUM ('dns_manual', 'approval_required', 'verification')",
  "CREATE TYPE task_status AS ENUM ('pending', 'in_progress', 'completed', 'cancelled')",
  "CREATE TYPE task_priority AS ENUM ('low', 'medium', 'high', 'critical')",
  "CREATE TYPE file_type AS ENUM ('zip', 'tar', 'directory', 'single_file')",
  "CREATE TYPE analysis_status AS ENUM ('pending', 'analyzing', 'complete', 'failed')",
  "CREATE TYPE deployment_status AS ENUM ('deploying', 'running', 'stopped', 'failed', 'removed')",
  "CREATE TYPE health_status AS ENUM ('healthy', 'unhealthy', 'unknown')",
  "CREATE TYPE record_type AS ENUM ('A', 'CNAME', 'TXT', 'MX', 'AAAA')",
  "CREATE TYPE record_status AS ENUM ('pending', 'active', 'failed', 'removed')",
];

const TABLES = [
  `CREATE TABLE workflows (
     id uuid PRIMARY KEY,
     name varchar(255) NOT NULL,
     status workflow_status NOT NULL,
     workflow_type varchar(100) NOT NULL,
     created_by varchar(255),
     started_at timestamptz NOT NULL DEFAULT now(),
     completed_at timestamptz,
     error_message text,
     workflow_metadata jsonb NOT NULL DEFAULT '{}',
     current_step varchar(255),
     total_steps integer
   )`,
  `CREATE TABLE tasks (
     id uuid PRIMARY KEY,
     workflow_id uuid REFERENCES workflows (id) ON DELETE SET NULL,
     title varchar(255) NOT NULL,
     description text,
     task_type task_type NOT NULL,
     status task_status NOT NULL,
     priority task_priority NOT NULL,
     assigned_to varchar(255),
     instructions jsonb,
     created_at timestamptz NOT NULL,
     completed_at timestamptz,
     task_metadata jsonb
   )`,
  `CREATE TABLE artifacts (
     id uuid PRIMARY KEY,
     filename varchar(255) NOT NULL,
     original_filename varchar(255) NOT NULL,
     file_type file_type NOT NULL,
     storage_path varchar(512) NOT NULL,
     file_size bigint NOT NULL,
     checksum_sha256 varchar(64),
     uploaded_by varchar(255),
     uploaded_at timestamptz NOT NULL,
     detected_service_type varchar(100),
     detected_framework varchar(100),
     analysis_complete boolean,
     analysis_status analysis_status,
     analysis_result jsonb,
     artifact_metadata jsonb,
     requires_database boolean
   )`,
  `CREATE TABLE deployments (
     id uuid PRIMARY KEY,
     workflow_id uuid NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
     artifact_id uuid REFERENCES artifacts (id) ON DELETE SET NULL,
     service_name varchar(255) NOT NULL,
     service_type varchar(100),
     domain varchar(255),
     status deployment_status NOT NULL,
     deployed_at timestamptz,
     configuration jsonb,
     health_status health_status,
     last_health_check timestamptz,
     rollout_strategy varchar(50) NOT NULL DEFAULT 'rolling',
     previous_deployment_id uuid REFERENCES deployments (id) ON DELETE SET NULL,
     health_check_url text
   )`,
  `CREATE TABLE domain_records (
     id uuid PRIMARY KEY,
     deployment_id uuid REFERENCES deployments (id) ON DELETE SET NULL,
     domain varchar(255) NOT NULL,
     subdomain varchar(255),
     record_type record_type NOT NULL,
     record_value varchar(512),
     ttl integer NOT NULL DEFAULT 3600,
     auto_managed boolean,
     dns_provider varchar(100),
     status record_status NOT NULL,
     verified_at timestamptz,
     last_verified timestamptz,
     priority integer,
     provider_record_id varchar(255),
     record_metadata jsonb
   )`,
];

/** Every foreign key, so that a deletion reads no table whole, and what lists are asked for. */
const INDEXES = [
  "CREATE INDEX workflows_status ON workflows (status)",
  "CREATE INDEX workflows_started_at ON workflows (started_at)",
  "CREATE INDEX tasks_workflow_id ON tasks (workflow_id)",
  "CREATE INDEX tasks_status ON tasks (status)",
  "CREATE INDEX artifacts_checksum_sha256 ON artifacts (checksum_sha256)",
  "CREATE INDEX deployments_workflow_id ON deployments (workflow_id)",
  "CREATE INDEX deployments_artifact_id ON deployments (artifact_id)",
  "CREATE INDEX deployments_previous_deployment_id ON deployments (previous_deployment_id)",
  "CREATE INDEX deployments_service_name ON deployments (service_name)",
  "CREATE INDEX domain_records_deployment_id ON domain_records (deployment_id)",
  "CREATE INDEX domain_records_domain ON domain_records (domain)",
];

/** The five tables that other programs read: names, types and delete rules are a contract. */
export const initialSchema: Revision = {
  name: "001_initial_schema",
  up: [...TYPES, ...TABLES, ...INDEXES],
  down: [
    "DROP TABLE domain_records, deployments, artifacts, tasks, workflows",
    `DROP TYPE workflow_status, task_type, task_status, task_priority, file_type, analysis_status, deployment_status,
       health_status, record_type, record_status`,
  ],
};
