import type { Revision } from "./revision.ts";

/**
 * The audit log: rows are added and never changed. The trigger holds off mistakes and apps that got hold of the login;
 * whoever may take the trigger away is found out by the chain of hashes.
 */
export const audit: Revision = {
  name: "004_audit",
  up: [
    `CREATE TABLE audit_log (
       seq bigint PRIMARY KEY,
       id uuid NOT NULL UNIQUE,
       at timestamptz NOT NULL,
       actor varchar(255) NOT NULL,
       action varchar(100) NOT NULL,
       target text,
       before jsonb,
       after jsonb,
       result varchar(255) NOT NULL,
       address varchar(100),
       request_id varchar(100),
       prev_hash char(64) NOT NULL,
       hash char(64) NOT NULL UNIQUE
     )`,
    "CREATE INDEX audit_log_actor ON audit_log (actor, seq)",
    "CREATE INDEX audit_log_action ON audit_log (action, seq)",
    `CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $body$
       BEGIN
         RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
       END
     $body$`,
    `CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
       FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()`,
    "ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_append_only",
  ],
  down: ["DROP TABLE audit_log", "DROP FUNCTION refuse_audit_change()"],
};
