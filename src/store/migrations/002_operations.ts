import type { Revision } from "./revision.ts";

/**
 * The journal of operations: a run is a workflow with more columns, its history and its locks. JSON that is answered as
 * it was given is kept as `json`: `jsonb` can hold neither a zero character nor half of a pair of surrogates.
 */
export const operations: Revision = {
  name: "002_operations",
  up: [
    `ALTER TABLE workflows
       ADD COLUMN operation varchar(100),
       ADD COLUMN input json,
       ADD COLUMN state varchar(20),
       ADD COLUMN steps jsonb,
       ADD COLUMN fingerprint varchar(64),
       ADD COLUMN progress jsonb,
       ADD COLUMN result json,
       ADD COLUMN error json,
       ADD COLUMN cancel_requested boolean NOT NULL DEFAULT false,
       ADD COLUMN epoch integer NOT NULL DEFAULT 0,
       ADD COLUMN holder jsonb,
       ADD COLUMN lease_until timestamptz`,
    "CREATE INDEX workflows_fingerprint ON workflows (fingerprint) WHERE state = 'running'",
    `CREATE TABLE workflow_steps (
       workflow_id uuid NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
       seq integer NOT NULL,
       at timestamptz NOT NULL,
       step varchar(255) NOT NULL,
       event varchar(20) NOT NULL,
       barrier boolean NOT NULL,
       output json,
       says text,
       PRIMARY KEY (workflow_id, seq)
     )`,
    `CREATE TABLE workflow_locks (
       workflow_id uuid NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
       name text NOT NULL,
       PRIMARY KEY (workflow_id, name)
     )`,
  ],
  down: [
    "DROP TABLE workflow_locks, workflow_steps",
    "DROP INDEX workflows_fingerprint",
    `ALTER TABLE workflows
       DROP COLUMN operation, DROP COLUMN input, DROP COLUMN state, DROP COLUMN steps, DROP COLUMN fingerprint,
       DROP COLUMN progress, DROP COLUMN result, DROP COLUMN error, DROP COLUMN cancel_requested, DROP COLUMN epoch,
       DROP COLUMN holder, DROP COLUMN lease_until`,
  ],
};
