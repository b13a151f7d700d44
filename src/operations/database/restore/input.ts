import { z } from "zod";
import { momentStamp, parseMoment } from "../../../core/moment.ts";
import type { StepContext } from "../../operation.ts";
import { restoreTargetFields } from "../../restore-target-fields.ts";
import { databaseName } from "../database-name.ts";

/** What a restore of one database takes. */
export const restoreInput = z.strictObject({
  ...restoreTargetFields,
  database: databaseName.describe("The database, by the name that it had then"),
  as: databaseName.optional().describe("The name that it gets; <database>_<date>_<time> by default"),
  tables: z
    .array(z.string().min(1).max(130))
    .max(100)
    .default([])
    .describe("Only these tables, as name or schema.name; everything by default"),
});

export type RestoreInput = z.infer<typeof restoreInput>;
export type RestoreContext = StepContext<RestoreInput>;

/** PostgreSQL's limit for a name, in bytes. */
const NAME_LIMIT = 63;

/** The name that the restored database gets: the same for the same input, since it is what the run holds a lock on. */
export function newName(input: RestoreInput): string {
  if (input.as !== undefined) return input.as;
  const suffix = `_${stampOf(input)}`;
  return input.database.slice(0, NAME_LIMIT - suffix.length) + suffix;
}

function stampOf({ to, backup, ...others }: RestoreInput): string {
  const moment = to === undefined ? undefined : parseMoment(to);
  if (moment) return momentStamp(moment);
  const isAtItsEnd = !others.xid && !others.lsn && !others.restore_point && !others.latest;
  const end = isAtItsEnd ? /(\d{8})-(\d{4})\d\d[FDI](@|$)/.exec(backup ?? "") : null;
  return end ? `${end[1]}_${end[2]}` : "restored";
}

/** Under which name a database is filled: none that anybody makes, so that the new name appears only with all of it. */
export const temporaryName = ({ runId }: Pick<RestoreContext, "runId">): string => `restoring-${runId}`;
