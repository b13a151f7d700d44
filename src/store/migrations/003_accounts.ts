import type { Revision } from "./revision.ts";

/**
 * Users, keys and sessions: hashes, and nothing that could be used to sign in. `accounts_state` is one row that every
 * change locks and counts; a hub that has seen a higher revision than a restored database fills it again.
 */
export const accounts: Revision = {
  name: "003_accounts",
  up: [
    `CREATE TABLE accounts_state (
       single boolean PRIMARY KEY DEFAULT true CHECK (single),
       database_id uuid NOT NULL,
       revision bigint NOT NULL,
       changed_at timestamptz NOT NULL,
       setup_token_hash char(64),
       setup_expires_at timestamptz,
       CHECK ((setup_token_hash IS NULL) = (setup_expires_at IS NULL))
     )`,
    "INSERT INTO accounts_state (database_id, revision, changed_at) VALUES (gen_random_uuid(), 0, now())",
    `CREATE TABLE users (
       id uuid PRIMARY KEY,
       name varchar(63) NOT NULL UNIQUE,
       display_name varchar(255) NOT NULL,
       role varchar(20) NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
       password_hash varchar(255),
       sso_issuer text,
       sso_subject text,
       disabled boolean NOT NULL,
       created_at timestamptz NOT NULL,
       last_login_at timestamptz,
       credentials_changed_at timestamptz NOT NULL,
       UNIQUE (sso_issuer, sso_subject),
       CHECK ((sso_issuer IS NULL) = (sso_subject IS NULL))
     )`,
    `CREATE TABLE api_keys (
       id uuid PRIMARY KEY,
       name varchar(63) NOT NULL,
       prefix varchar(20) NOT NULL UNIQUE,
       secret_hash char(64) NOT NULL,
       scopes text[] NOT NULL,
       created_by varchar(255) NOT NULL,
       created_at timestamptz NOT NULL,
       expires_at timestamptz,
       last_used_at timestamptz,
       revoked_at timestamptz
     )`,
    "CREATE UNIQUE INDEX api_keys_live_name ON api_keys (name) WHERE revoked_at IS NULL",
    `CREATE TABLE web_sessions (
       id uuid PRIMARY KEY,
       user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
       token_hash char(64) NOT NULL UNIQUE,
       created_at timestamptz NOT NULL,
       seen_at timestamptz NOT NULL,
       proven_at timestamptz NOT NULL,
       expires_at timestamptz NOT NULL,
       address varchar(100),
       user_agent varchar(200),
       revoked_at timestamptz
     )`,
    "CREATE INDEX web_sessions_user_id ON web_sessions (user_id)",
  ],
  down: ["DROP TABLE web_sessions, api_keys, users, accounts_state"],
};
