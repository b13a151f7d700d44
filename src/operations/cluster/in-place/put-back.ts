import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HomelabError } from "../../../core/errors.ts";
import { restoreCommand } from "../../../engines/pgbackrest/restore.ts";
import { exists } from "../../../host/files.ts";
import { forgetReplaced, noteReplaced, type ReplacedData } from "../../../site/replaced-data.ts";
import type { Step, StepContext } from "../../operation.ts";
import { fetchFolder, reach } from "./reach-target.ts";
import { leaveData, moveData } from "./set-aside.ts";

/** Which kept directory is gone back to, settled by the first step. */
export const goneBackTo = ({ output }: Pick<StepContext<unknown>, "output">): ReplacedData =>
  output<{ kept: ReplacedData }>("note-cluster")!.kept;

/** The kept data directory takes its place again. */
export const putBack: Step<unknown> = {
  name: "put-back",
  plan: () => "put the kept data directory back into its place",
  async run(context) {
    const { paths } = context.site.topology;
    const { path } = goneBackTo(context);
    if (await exists(path)) await moveData(path, paths.postgresData);
    else if (!(await exists(paths.postgresData))) throw new HomelabError("step_failed", `${path} is gone`);
    await forgetReplaced(paths, path);
    return { says: path };
  },
  async undo(context) {
    const { paths } = context.site.topology;
    const kept = goneBackTo(context);
    await leaveData(context.site);
    if (!(await exists(kept.path)) && (await exists(paths.postgresData))) await moveData(paths.postgresData, kept.path);
    await noteReplaced(paths, kept);
  },
  deadline: 60,
};

/**
 * It goes on under a timeline of its own: with its old one, new WAL would follow on WAL that a restore has left behind, and
 * nobody could tell any more which of two histories is the cluster's.
 */
export const takeNewTimeline: Step<unknown> = {
  name: "take-new-timeline",
  plan: () => "have it go on under a timeline of its own, so that its log is told from what the restore wrote",
  async run(context) {
    const { topology, storage } = context.site;
    const data = topology.paths.postgresData;
    const { number: repo } = (await storage()).repositories[0]!;
    const folder = await fetchFolder(context);
    await writeFile(join(data, "recovery.signal"), "", { mode: 0o600 });
    return reach(context, {
      restore_command: restoreCommand(topology, { repo, data, folder }),
      // Its own log to its end, not what was begun after it.
      recovery_target_timeline: "current",
      recovery_target_action: "promote",
    });
  },
  deadline: 900,
};
