import { z } from "zod";

/** At most so many characters of SQL for one column. */
const LONGEST_EXPRESSION = 2000;

const rule = z.union([
  z.null(),
  z.enum(["hash", "email", "name"]),
  z.strictObject({ text: z.string().max(1000) }),
  z.strictObject({ expression: z.string().min(1).max(LONGEST_EXPRESSION) }),
]);

const name = z.string().min(1).max(140);

/**
 * Rules by table and column. An expression runs as the new database's owner: whoever may make databases may read their
 * passwords, and so run any statement as any owner.
 */
export const maskRules = z
  .record(name, z.record(name, rule))
  .refine((tables) => Object.keys(tables).length <= 1000, "at most 1000 tables")
  .describe("What becomes of columns: null, hash, email, name, {text: …} or {expression: …}, by table and column");
