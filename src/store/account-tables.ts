import type { ColumnType, Generated } from "kysely";
import type { Json } from "../core/json.ts";
import type { Scope } from "../core/scope.ts";

/** A moment: read as a date, written as RFC 3339. */
type Instant = ColumnType<Date, string, string>;
type OptionalInstant = ColumnType<Date | null, string | null, string | null>;

/** Read as a value, written as text. */
type OptionalJson = ColumnType<Json, string | null, string | null>;

/** A bigint, as text. */
type BigInteger = ColumnType<string, number | string, number | string>;

/** One row: which database this is, and how often its accounts were changed. */
interface AccountsStateTable {
  single: Generated<boolean>;
  database_id: string;
  revision: BigInteger;
  changed_at: Instant;
  setup_token_hash: string | null;
  setup_expires_at: OptionalInstant;
}

/** A person who signs in. */
interface UsersTable {
  id: string;
  name: string;
  display_name: string;
  role: "viewer" | "operator" | "admin";
  password_hash: string | null;
  sso_issuer: string | null;
  sso_subject: string | null;
  disabled: boolean;
  created_at: Instant;
  last_login_at: OptionalInstant;
  credentials_changed_at: Instant;
}

/** A key of a program. */
interface ApiKeysTable {
  id: string;
  name: string;
  prefix: string;
  secret_hash: string;
  scopes: Scope[];
  created_by: string;
  created_at: Instant;
  expires_at: OptionalInstant;
  last_used_at: OptionalInstant;
  revoked_at: OptionalInstant;
}

/** A browser that is signed in. */
interface WebSessionsTable {
  id: string;
  user_id: string;
  token_hash: string;
  created_at: Instant;
  seen_at: Instant;
  proven_at: Instant;
  expires_at: Instant;
  address: string | null;
  user_agent: string | null;
  revoked_at: OptionalInstant;
}

/** Who did what. Rows are only ever added. */
interface AuditLogTable {
  seq: BigInteger;
  id: string;
  at: Instant;
  actor: string;
  action: string;
  target: string | null;
  before: OptionalJson;
  after: OptionalJson;
  result: string;
  address: string | null;
  request_id: string | null;
  prev_hash: string;
  hash: string;
}

/** The tables of accounts and of the audit log. */
export interface AccountTables {
  accounts_state: AccountsStateTable;
  users: UsersTable;
  api_keys: ApiKeysTable;
  web_sessions: WebSessionsTable;
  audit_log: AuditLogTable;
}
