/**
 * Every error that a user can meet: one row each. Faces translate a row; nobody else invents codes.
 * Exit codes: 1 failed · 2 usage or configuration · 3 cancelled or timed out · 4 not allowed · 5 degraded ·
 * 6 unhealthy · 7 not found · 8 still running.
 */
export const errorTable = {
  usage: { status: 400, exit: 2, title: "The command was not understood" },
  request_malformed: { status: 400, exit: 2, title: "The request was not understood" },
  host_refused: { status: 421, exit: 4, title: "This name is not ours" },
  origin_refused: { status: 403, exit: 4, title: "The request came from another site" },
  method_not_allowed: { status: 405, exit: 2, title: "Not with this method" },
  request_timeout: { status: 408, exit: 3, title: "The request came too slowly" },
  head_too_large: { status: 431, exit: 2, title: "The request's line and headers are too long" },
  body_too_large: { status: 413, exit: 2, title: "The request is too large" },
  media_type_unsupported: { status: 415, exit: 2, title: "Only JSON is understood" },
  too_many_requests: { status: 429, exit: 1, title: "Too many requests" },
  idempotency_mismatch: { status: 422, exit: 2, title: "The key was used for another request" },
  already_ended: { status: 409, exit: 2, title: "It has ended already" },
  no_leader: { status: 503, exit: 6, title: "No hub leads" },
  configuration_invalid: { status: 422, exit: 2, title: "The configuration does not hold" },
  invariant_violated: { status: 422, exit: 2, title: "The configuration contradicts itself" },
  input_invalid: { status: 422, exit: 2, title: "The input does not hold" },
  name_refused: { status: 422, exit: 2, title: "This name cannot be used" },
  port_taken: { status: 409, exit: 2, title: "A port is taken" },
  machine_unsuitable: { status: 409, exit: 2, title: "This machine does not fit" },
  version_refused: { status: 409, exit: 2, title: "An engine's version would endanger data" },
  packages_missing: { status: 409, exit: 2, title: "Packages are missing" },
  not_allowed: { status: 403, exit: 4, title: "Not allowed" },
  not_signed_in: { status: 401, exit: 4, title: "Not signed in" },
  too_many_attempts: { status: 429, exit: 4, title: "Too many attempts" },
  name_taken: { status: 409, exit: 1, title: "The name is taken" },
  last_admin: { status: 409, exit: 4, title: "This is the last admin" },
  sso_failed: { status: 400, exit: 4, title: "The single sign-on did not go through" },
  sso_refused: { status: 403, exit: 4, title: "Single sign-on lets this account not in" },
  sso_unavailable: { status: 503, exit: 6, title: "Single sign-on is not available" },
  database_exists: { status: 409, exit: 1, title: "The database exists" },
  database_protected: { status: 409, exit: 4, title: "The database is protected" },
  confirmation_required: { status: 409, exit: 2, title: "A confirmation is missing" },
  not_found: { status: 404, exit: 7, title: "Not found" },
  not_installed: { status: 404, exit: 7, title: "Nothing is installed here" },
  not_running: { status: 503, exit: 6, title: "Not running" },
  backup_failed: { status: 500, exit: 1, title: "A backup failed" },
  proof_failed: { status: 500, exit: 1, title: "The proof of a backup failed" },
  restore_refused: { status: 409, exit: 2, title: "This cannot be restored" },
  target_outside_window: { status: 422, exit: 2, title: "That time cannot be had back" },
  kit_unreadable: { status: 422, exit: 2, title: "The recovery kit cannot be read" },
  passphrase_wrong: { status: 403, exit: 4, title: "The passphrase is wrong" },
  storage_unusable: { status: 409, exit: 1, title: "Backups cannot be kept there" },
  disk_short: { status: 409, exit: 1, title: "The disk has too little room" },
  busy: { status: 423, exit: 8, title: "Another operation is at it" },
  step_failed: { status: 500, exit: 1, title: "A step failed" },
  deadline_passed: { status: 504, exit: 3, title: "It took too long" },
  cancelled: { status: 409, exit: 3, title: "Cancelled" },
  detached: { status: 202, exit: 130, title: "Detached" },
  lease_lost: { status: 409, exit: 1, title: "Another process took this run over" },
  steps_unknown: { status: 409, exit: 1, title: "The run was begun by another version" },
  process_failed: { status: 500, exit: 1, title: "A program failed" },
  engine_unreachable: { status: 503, exit: 6, title: "An engine does not answer" },
  platform_database_away: { status: 503, exit: 6, title: "The platform's database does not answer" },
  platform_database_newer: { status: 409, exit: 1, title: "The platform's database was written by a newer version" },
  failed: { status: 500, exit: 1, title: "Failed" },
} as const;

/** The stable code of an error, as it is printed and answered by the API. */
export type ErrorCode = keyof typeof errorTable;

/** What an error may carry beside its sentence. */
export interface ErrorDetails {
  /** What to do about it, as one sentence or command. */
  hint?: string;
  cause?: unknown;
  /** For input errors: which field, and what is wrong with it. */
  errors?: { field: string; message: string }[];
  /** For whom it is too early: after how many seconds the same may be tried again. */
  retryAfterSeconds?: number;
}

/** An error with a code of the table, a sentence for a person, and a hint. */
export class HomelabError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly errors: { field: string; message: string }[] | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "HomelabError";
    this.code = code;
    this.hint = details.hint;
    this.errors = details.errors;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}

/** The shape that the journal keeps and the faces print. */
export interface ErrorRecord {
  code: ErrorCode;
  message: string;
  hint?: string;
}

/** Turns anything thrown into a record; an unknown error is `failed` with its own message. */
export function errorRecord(error: unknown): ErrorRecord {
  if (error instanceof HomelabError) {
    return { code: error.code, message: error.message, ...(error.hint ? { hint: error.hint } : {}) };
  }
  return { code: "failed", message: errorMessage(error) };
}

/** The message of anything thrown. An AggregateError (a refused connection) speaks through its first cause. */
export function errorMessage(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return errorMessage(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
