import { rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseDuration } from "../../../core/units.ts";
import { stopClosed } from "../../../engines/postgres/closed-server.ts";
import { exists, remove, syncFolder } from "../../../host/files.ts";
import { killProcessesNaming } from "../../../host/processes.ts";
import { forgetReplaced, noteReplaced } from "../../../site/replaced-data.ts";
import type { Site } from "../../../site/site.ts";
import type { Step, StepContext } from "../../operation.ts";
import { noted } from "./note-cluster.ts";

/** A data directory goes to another place, and stays there through a power cut. */
export async function moveData(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(dirname(to));
}

/** Nobody works on the data directory any more: neither our own closed server nor a pgBackRest that outlived its caller. */
export async function leaveData({ topology }: Site): Promise<void> {
  await stopClosed(topology);
  await killProcessesNaming(topology.paths.postgresData);
}

/** The present data is kept, whole, for as long as the settings say: the way back. `by` names what takes its place. */
export const setAside = <In>(by: (context: StepContext<In>) => string): Step<In> => ({
  name: "set-aside",
  plan: ({ site }) =>
    `keep the present data directory for ${site.topology.settings.backup.keep_replaced}: homelab db restore --undo goes back to it`,
  async run(context) {
    const { site, runId } = context;
    const { paths, settings } = site.topology;
    const { aside, at, systemIdentifier } = noted(context);
    const until = new Date(Date.parse(at) + parseDuration(settings.backup.keep_replaced)! * 1000).toISOString();
    await noteReplaced(paths, { path: aside, at, run: runId, until, systemIdentifier, by: by(context) });
    // Died behind the rename: what is in its place since then is none of it.
    if (!(await exists(aside)) && (await exists(paths.postgresData))) await moveData(paths.postgresData, aside);
    return { says: (await exists(aside)) ? `${aside}, until ${until}` : "there was nothing to be kept" };
  },
  async undo(context) {
    const { paths } = context.site.topology;
    const { aside } = noted(context);
    await leaveData(context.site);
    await remove(join(paths.scratch, context.runId));
    if (await exists(aside)) {
      await remove(paths.postgresData);
      await moveData(aside, paths.postgresData);
    }
    await forgetReplaced(paths, aside);
  },
  deadline: 600,
});
