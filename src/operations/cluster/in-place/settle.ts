import { join } from "node:path";
import type { Topology } from "../../../cluster/topology.ts";
import { waitUntil } from "../../../core/clock.ts";
import { errorMessage, HomelabError } from "../../../core/errors.ts";
import { etcdDeletePrefix } from "../../../engines/etcd/client.ts";
import { patroniKey } from "../../../engines/patroni/config.ts";
import { stopClosed } from "../../../engines/postgres/closed-server.ts";
import { readControlData } from "../../../engines/postgres/control-data.ts";
import { resetSystem } from "../../../engines/postgres/ddl.ts";
import { remove } from "../../../host/files.ts";
import type { Step } from "../../operation.ts";
import type { Kept } from "./keep-records.ts";
import { noted } from "./note-cluster.ts";
import { withinClosed } from "./reach-target.ts";
import { wakeServices } from "./stop-postgres.ts";

/** What pgBackRest leaves in postgresql.auto.conf: whoever starts as a standby later would stop at that target again. */
const RECOVERY_SETTINGS = [
  "restore_command",
  "recovery_end_command",
  "recovery_target",
  "recovery_target_action",
  "recovery_target_inclusive",
  "recovery_target_lsn",
  "recovery_target_name",
  "recovery_target_time",
  "recovery_target_timeline",
  "recovery_target_xid",
];

/** How far the log of before was, as Patroni noted it; etcd may just be starting again. */
async function forgetPositions(topology: Topology, signal: AbortSignal): Promise<void> {
  let last = "";
  const attempt = async () => {
    try {
      for (const key of ["status", "optime/"]) await etcdDeletePrefix(topology, patroniKey(topology, key));
      return true;
    } catch (error) {
      last = errorMessage(error);
      return false;
    }
  };
  await waitUntil(attempt, { timeout: 60, every: 250, signal, what: "etcd answers", why: () => last });
}

/**
 * The data is whole, and its server down in order. From here on there is no way back but an operation of its own, since
 * apps will write to it. Patroni forgets how far the log of before was: it starts every data directory as a standby, and
 * would not promote one that is behind (patroni/ha.py, is_lagging).
 */
export const settle: Step<unknown> = {
  name: "settle",
  plan: () => "end the recovery for good; from here on only --undo leads back",
  async run(context) {
    const { site, signal, output, runId } = context;
    const { topology } = site;
    await withinClosed(context, async (sessions) => {
      const admin = await sessions.admin();
      for (const setting of RECOVERY_SETTINGS) await admin.query(resetSystem(setting));
      await admin.query("CHECKPOINT");
    });
    await stopClosed(topology);
    const control = await readControlData(topology, topology.paths.postgresData);
    if (control?.systemIdentifier !== noted(context).systemIdentifier || control.state !== "shut down")
      throw new HomelabError(
        "step_failed",
        `the new data directory is not in order (${control?.state ?? "no control file"})`,
      );
    await wakeServices(site);
    await forgetPositions(topology, signal);
    await remove(join(topology.paths.scratch, runId));
    const dump = output<Kept>("keep-records")?.dump;
    if (dump) await remove(dump);
    return { says: `timeline ${control.timeline}`, output: { timeline: control.timeline } };
  },
  barrier: true,
  deadline: 900,
};
