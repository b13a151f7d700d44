import { join } from "node:path";
import { recoveryParameters } from "../../../cluster/recovery.ts";
import { HomelabError } from "../../../core/errors.ts";
import { formatBytes } from "../../../core/units.ts";
import { restoreCommand, restoreFiles } from "../../../engines/pgbackrest/restore.ts";
import { readControlData } from "../../../engines/postgres/control-data.ts";
import { TargetNotReached } from "../../../engines/postgres/scratch.ts";
import { ensureFolder, exists, remove } from "../../../host/files.ts";
import { noteSpeed } from "../../../site/restore-speed.ts";
import type { ChosenRestore } from "../../../site/restore-target.ts";
import type { Step, StepContext } from "../../operation.ts";
import { noted } from "./note-cluster.ts";
import { fetchFolder, reach } from "./reach-target.ts";
import { leaveData } from "./set-aside.ts";

/** Which backup was chosen; every later step means the same one. */
export const chosen = ({ output }: Pick<StepContext<unknown>, "output">): ChosenRestore =>
  output<ChosenRestore>("choose-backup")!;

/**
 * pgBackRest notes what it is restoring in the data directory, and writes the control file last: what a killed one left
 * cannot be started, and is gone on with.
 */
const isHalf = (data: string): Promise<boolean> => exists(join(data, "backup.manifest"));

/** The backup's files, in the place of the data directory. */
export const restoreDataFiles: Step<unknown> = {
  name: "restore-files",
  plan: () => "restore the backup's files into the empty data directory",
  async run(context) {
    const { site, signal, progress } = context;
    const { topology } = site;
    const data = topology.paths.postgresData;
    const { repo, label, recovery, timeline, database_bytes } = chosen(context);
    // A pgBackRest that outlived its caller would go on writing.
    await leaveData(site);
    const delta = await isHalf(data);
    if (!delta) await remove(data);
    await ensureFolder(data, 0o700);
    const lock = join(await fetchFolder(context), "lock");
    const onPart = (part: number) =>
      progress({ done: Math.round(part * database_bytes), total: database_bytes, unit: "bytes" });
    const begun = performance.now();
    await restoreFiles(topology, { repo, label, data, recovery, timeline, lock, delta }, { signal, onPart });
    if (!delta) await noteSpeed(site, "restore", database_bytes, (performance.now() - begun) / 1000);
    const control = await readControlData(topology, data);
    if (control?.systemIdentifier !== noted(context).systemIdentifier)
      throw new HomelabError(
        "restore_refused",
        `${label} is of another cluster (${control?.systemIdentifier ?? "none"})`,
      );
    return { says: `${label}, ${formatBytes(database_bytes)}` };
  },
  deadline: 600,
};

/** Replays the log up to the target. Nobody but us gets in before it is reached, and all is mended. */
export const reachTarget: Step<unknown> = {
  name: "reach-target",
  plan: () => "replay the log up to the target, with nobody let in",
  async run(context) {
    const { repo, recovery, timeline, or_end } = chosen(context);
    const { topology } = context.site;
    const folder = await fetchFolder(context);
    const restore_command = restoreCommand(topology, { repo, data: topology.paths.postgresData, folder });
    try {
      const { says, output } = await reach(context, { restore_command, ...recoveryParameters(recovery, timeline) });
      return { says, output: checked(recovery, output) };
    } catch (error) {
      // Nothing was committed between the archive's end and the moment: all of it is what there is to have.
      if (!(error instanceof TargetNotReached) || !or_end) throw error;
      return reach(context, { restore_command, ...recoveryParameters({ type: "default" }, timeline) });
    }
  },
  deadline: 900,
};

/** @throws HomelabError `step_failed` when something is there that was committed after the target */
function checked<T extends { last_commit: string | null }>(recovery: ChosenRestore["recovery"], reached: T): T {
  const { last_commit } = reached;
  if (recovery.type !== "time" || last_commit === null || Date.parse(last_commit) <= Date.parse(recovery.target))
    return reached;
  throw new HomelabError("step_failed", `a transaction of ${last_commit} is there, which is behind the target`);
}
