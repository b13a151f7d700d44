import type { Step } from "../../operation.ts";
import { noted, sessionIfThere } from "./note-cluster.ts";
import { archiveNow } from "../../../site/archive-now.ts";

/** So that later restores reach this very moment too, and not only the kept data directory does. */
export const archiveLastWal: Step<unknown> = {
  name: "archive-last-wal",
  plan: () => "archive what was written last, so that a later restore reaches this moment too",
  async run(context) {
    const { site, signal } = context;
    const session = noted(context).answers ? await sessionIfThere(site) : undefined;
    if (!session)
      return { says: "PostgreSQL does not answer: what it has not archived stays in the kept data directory" };
    // What the checkpoint writes now, the shutdown need not.
    await session.query("CHECKPOINT");
    const segment = await archiveNow(site, signal);
    return { says: "everything up to now is in the repository", output: { segment } };
  },
  deadline: 600,
};
