import { z } from "zod";
import { parseDuration } from "../../core/units.ts";
import type { Anchor } from "../../engines/postgres/anchor.ts";
import { findAnchor } from "../../engines/postgres/databases.ts";
import { rolesOf } from "../../engines/postgres/names.ts";
import type { StepContext } from "../operation.ts";
import { databaseName } from "./database-name.ts";

const identifier = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,62}$/, "expected lower-case letters, digits, _ and -, a letter first");

/** Seconds; PostgreSQL counts milliseconds in 31 bits. */
const LONGEST_TIMEOUT = (2 ** 31 - 1) / 1000;

/** What a new database may be given; the same for CLI and API. */
export const provisionInput = z.strictObject({
  name: databaseName,
  owner: identifier.optional().describe("The role that owns it; <name>_owner by default"),
  extensions: z.array(identifier).max(30).default([]),
  connection_limit: z.int().min(1).max(5000).optional(),
  statement_timeout: z
    .string()
    // PostgreSQL takes a zero before other digits for octal.
    .regex(/^(0|[1-9]\d*)(ms|s|min|h|d)?$/, "expected a duration such as 30s or 5min")
    .refine((text) => parseDuration(/\D/.test(text) ? text : `${text}ms`)! <= LONGEST_TIMEOUT, "at most 24d")
    .optional(),
  template: identifier.default("template0"),
  protect: z.boolean().optional().describe("Whether db delete refuses"),
});

export type ProvisionInput = z.infer<typeof provisionInput>;

/** The owner's role: the one that was named, the one that the database has had so far, or the database's own. */
export const chooseOwner = (input: ProvisionInput, anchor: Anchor | undefined): string =>
  input.owner ?? anchor?.owner ?? rolesOf(input.name).owner;

/** The owner's role from `make-roles` on: what that step settled, or the anchor where there was nothing to do for it. */
export async function ownerOf(context: StepContext<ProvisionInput>): Promise<string> {
  const { input, site } = context;
  const settled = input.owner ?? context.output<{ owner: string }>("make-roles")?.owner;
  return settled ?? chooseOwner(input, await findAnchor(await (await site.postgres()).admin(), input.name));
}
