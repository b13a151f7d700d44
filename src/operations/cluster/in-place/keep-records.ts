import { join } from "node:path";
import { waitUntil } from "../../../core/clock.ts";
import { errorMessage } from "../../../core/errors.ts";
import { remove } from "../../../host/files.ts";
import {
  closePlatformDatabase,
  dumpPlatformRecords,
  openPlatformDatabase,
  platformWish,
} from "../../../site/platform-records.ts";
import type { Step, StepContext } from "../../operation.ts";
import { noted, sessionIfThere } from "./note-cluster.ts";

/** What became of the platform's records; null: there is no dump of them. */
export type Kept = { dump: string | null };

const dumpOf = ({ site, runId }: StepContext<unknown>): string =>
  join(site.topology.paths.state, `platform-records-${runId}.dump`);

/**
 * Users, keys, the audit log and what was done must not go back with the data. From here on the hubs write to files, which
 * they bring back by themselves; so what is dumped is all that there is.
 */
export const keepRecords: Step<unknown> = {
  name: "keep-records",
  plan: () => "keep the platform's own records (users, keys, audit log, operations): they do not go back",
  async run(context) {
    const { site, signal } = context;
    if (!(await platformWish(site)))
      return { says: "the platform's records are kept elsewhere", output: { dump: null } };
    if (!noted(context).answers || !(await sessionIfThere(site))) {
      const says = "PostgreSQL does not answer: what the hubs keep in files comes back, the newest audit lines do not";
      return { says, output: { dump: null } };
    }
    await closePlatformDatabase(await site.postgres(), signal);
    const dump = dumpOf(context);
    await dumpPlatformRecords(site, dump, signal);
    return { says: "users, keys, audit log and operations", output: { dump } };
  },
  async undo(context) {
    const { site, signal } = context;
    for (const path of [dumpOf(context), `${dumpOf(context)}.partial`]) await remove(path);
    // It was closed only if it answered.
    if (!noted(context).answers || !(await platformWish(site))) return;
    let last = "";
    const attempt = async () => {
      try {
        await openPlatformDatabase(await site.postgres());
        return true;
      } catch (error) {
        last = errorMessage(error);
        return false;
      }
    };
    const what = "the platform's database is open again";
    await waitUntil(attempt, { timeout: 60, every: 250, signal, what, why: () => last });
  },
  deadline: 700,
};
