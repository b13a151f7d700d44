import { initialSchema } from "./001_initial_schema.ts";
import { operations } from "./002_operations.ts";
import { accounts } from "./003_accounts.ts";
import { audit } from "./004_audit.ts";
import { idempotency } from "./005_idempotency.ts";
import type { Revision } from "./revision.ts";

/** Every revision, the oldest first. A list, not a folder that is read: it is bundled. */
export const revisions: readonly Revision[] = [initialSchema, operations, accounts, audit, idempotency];
