import { z } from "zod";

/** What every restore takes: where to begin, and how far to go. */
export const restoreTargetFields = {
  backup: z
    .string()
    .regex(
      /^(latest|\d{8}-\d{6}F(_\d{8}-\d{6}[DI])?)(@[a-z][a-z0-9-]{0,30})?$/,
      "expected the id of a backup, or latest",
    )
    .optional()
    .describe("The backup to begin from; chosen by the target when left out"),
  to: z
    .string()
    .max(60)
    .optional()
    .describe("A moment: RFC 3339, or as in 2026-11-20 14:05 in the server's local time"),
  xid: z
    .string()
    .regex(/^\d{1,20}$/, "expected the number of a transaction")
    .optional()
    .describe("Up to and with this transaction"),
  lsn: z
    .string()
    .regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i, "expected a position in the log such as 0/3000060")
    .optional()
    .describe("Up to this position in the log"),
  restore_point: z
    .string()
    .regex(/^[^\u0000-\u001f\u007f]{1,63}$/, "expected the name that pg_create_restore_point was given")
    .optional()
    .describe("Up to what pg_create_restore_point marked"),
  latest: z.boolean().optional().describe("Up to now"),
};
