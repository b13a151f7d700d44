import type { Operation } from "../operation.ts";
import { checkRestored } from "./restore/check-restored.ts";
import { compareRows, type Compared } from "./restore/compare-rows.ts";
import { copyDatabase, type Copied } from "./restore/copy-database.ts";
import { handOver } from "./restore/hand-over.ts";
import { restoreGuards } from "./restore/guards.ts";
import { newName, restoreInput, type RestoreInput } from "./restore/input.ts";
import { choiceOf } from "./restore/open-scratch.ts";
import { ownRoles } from "./restore/own-roles.ts";
import {
  chooseBackup,
  removeScratchStep,
  replay,
  restoreFilesStep,
  type ReplayedLog,
} from "./restore/scratch-steps.ts";

/**
 * One database as it was, beside what it is now. The cluster's backup is restored aside, replayed there to the target, and
 * the one database moved; the running one is not touched, and apps see nothing of it before `database.switch-to`.
 */
export const databaseRestore: Operation<RestoreInput> = {
  name: "database.restore",
  summary: "Bring a database back as it was at a moment, beside the present one",
  title: (input) => `Restore database ${input.database} as ${newName(input)}`,
  scope: "operate",
  route: { method: "POST", path: "/api/restores" },
  command: "db restore",
  input: restoreInput,
  // Not below `cluster`: it may take hours, and until its last step it works under a name of its own.
  locks: (input) => [`restore/${newName(input)}`],
  guards: restoreGuards,
  steps: [
    chooseBackup,
    restoreFilesStep,
    replay,
    checkRestored,
    ...ownRoles,
    copyDatabase,
    compareRows,
    handOver,
    removeScratchStep,
  ],
  result: async (context) => {
    const { restore, owner } = choiceOf(context);
    const { segments, seconds, reached, lastTransactionAt } = context.output<ReplayedLog>("replay")!;
    const files = context.output<{ bytes: number; seconds: number }>("restore-files")!;
    const copied = context.output<Copied>("copy-database")!;
    return {
      database: newName(context.input),
      of: context.input.database,
      backup: `${restore.label}@${restore.repository}`,
      as_of: restore.as_of,
      last_transaction_at: lastTransactionAt,
      target_reached: reached,
      /** Whether apps have to be switched to it: the roles are those of the database that it was restored from. */
      waits: owner !== null,
      ...context.output<Compared>("compare-rows")!,
      not_made: copied.leftOut,
      measured: {
        restore: files,
        replay: { segments, seconds },
        copy: { bytes: copied.bytes, seconds: copied.seconds },
      },
    };
  },
};
