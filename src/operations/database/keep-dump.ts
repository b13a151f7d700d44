import { rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { exists, remove, writeAtomic } from "../../host/files.ts";
import { freeBytes } from "../../host/machine.ts";
import { cleanEnvironment, run, runAny } from "../../host/run.ts";
import { HomelabError } from "../../core/errors.ts";
import { formatBytes } from "../../core/units.ts";
import { pgpassLine } from "../../engines/pgpass.ts";
import { dumpCommand, listDumpCommand } from "../../engines/postgres/dump.ts";
import { pinnedOptions } from "../../engines/postgres/pinned.ts";
import type { Step, StepContext } from "../operation.ts";
import type { DropInput, Refused } from "./rename-away.ts";

type Context = StepContext<DropInput>;

const dumpOf = ({ output }: Context): string => output<Refused>("refuse-connections")!.dump;

/** A dump whose table of contents can be read back: an exit code alone proves nothing. */
async function isReadable({ site }: Context, path: string): Promise<boolean> {
  if (!(await exists(path))) return false;
  const { exitCode, stdout } = await runAny({ argv: listDumpCommand(site.topology, path), timeout: 60 });
  return exitCode === 0 && stdout.includes("Archive created at");
}

/** Reports how much was written, which also keeps the deadline away from a large database. */
function reportSize(context: Context, path: string): () => void {
  const timer = setInterval(() => {
    stat(path).then(
      ({ size }) => context.progress({ done: size, total: null, unit: "bytes" }),
      () => {},
    );
  }, 500);
  return () => clearInterval(timer);
}

/** Kept beside the renamed database: a second way back, that other machines can read too. */
export const keepDump: Step<DropInput> = {
  name: "keep-dump",
  plan: ({ input }) => `dump ${input.name} and keep the dump`,
  check: async (context) => context.output("refuse-connections") !== undefined && isReadable(context, dumpOf(context)),
  async run(context) {
    const { input, site, signal } = context;
    const path = dumpOf(context);
    const partial = `${path}.partial`;
    const pgpass = join(site.topology.paths.run, `dump-${context.runId}.pgpass`);
    const stopReporting = reportSize(context, partial);
    try {
      await writeAtomic(pgpass, pgpassLine((await site.secrets()).superuser.reveal()));
      const env = cleanEnvironment({
        PGPASSFILE: pgpass,
        PGOPTIONS: pinnedOptions({
          postgresql: site.topology.versions.postgresql,
          superuser: true,
          changed: { statement_timeout: "0", lock_timeout: "0", idle_in_transaction_session_timeout: "0" },
        }),
      });
      await run({ argv: dumpCommand(site.topology, input.name, partial), env, signal });
    } catch (error) {
      await remove(partial);
      if (freeBytes(dirname(path)) > 64 * 1024 * 1024) throw error;
      throw new HomelabError("step_failed", `the disk is full: ${input.name} could not be dumped`, {
        hint: "Free some space and try again; the database is as it was.",
        cause: error,
      });
    } finally {
      stopReporting();
      await remove(pgpass);
    }
    await rename(partial, path);
    if (!(await isReadable(context, path))) throw new HomelabError("step_failed", "the dump cannot be read back");
    return { says: `dump of ${formatBytes((await stat(path)).size)}` };
  },
  async undo(context) {
    if (context.output("refuse-connections")) await remove(dumpOf(context));
  },
  deadline: 300,
};
