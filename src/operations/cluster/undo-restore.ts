import { z } from "zod";
import { HomelabError } from "../../core/errors.ts";
import { readControlData } from "../../engines/postgres/control-data.ts";
import { readReplaced, type ReplacedData } from "../../site/replaced-data.ts";
import type { Site } from "../../site/site.ts";
import type { Guard, Operation } from "../operation.ts";
import { proveConnections } from "../steps/prove-connections.ts";
import { startAgentStep } from "../steps/start-agent.ts";
import { archiveLastWal } from "./in-place/archive-last-wal.ts";
import { bringBackRecords } from "./in-place/bring-back-records.ts";
import { keepRecords } from "./in-place/keep-records.ts";
import { canBePutAside, noteCluster, noted, ownIdentifier, whatGoes } from "./in-place/note-cluster.ts";
import { openPostgres } from "./in-place/open-postgres.ts";
import { poolsHeld } from "./in-place/pools-held.ts";
import { goneBackTo, putBack, takeNewTimeline } from "./in-place/put-back.ts";
import { repairLogins, type Repaired } from "./in-place/repair-logins.ts";
import { setAside } from "./in-place/set-aside.ts";
import { settle } from "./in-place/settle.ts";
import { stopPostgres } from "./in-place/stop-postgres.ts";

interface UndoInput {
  cluster: string;
}

/** What the last restore replaced. @throws HomelabError `not_found`, `restore_refused` */
async function lastReplaced(site: Site): Promise<ReplacedData> {
  const kept = (await readReplaced(site.topology.paths)).at(-1);
  if (!kept) {
    throw new HomelabError("not_found", "no restore in place can be undone: nothing that one replaced is kept", {
      hint: `It is kept for ${site.topology.settings.backup.keep_replaced} (backup.keep_replaced). An older moment can be restored: homelab db list-backups.`,
    });
  }
  const [own, control] = [await ownIdentifier(site), await readControlData(site.topology, kept.path)];
  if (control?.systemIdentifier === own) return kept;
  throw new HomelabError("restore_refused", `${kept.path} is not of this cluster`, {
    hint: "Somebody put it there; ours is gone.",
  });
}

const isMeant: Guard<UndoInput> = async ({ input, site }) => {
  const { scope } = site.topology;
  if (input.cluster !== scope)
    throw new HomelabError("restore_refused", `this cluster is ${scope}, not ${input.cluster}`, {
      hint: "The name is asked for so that no other cluster is replaced.",
    });
  await lastReplaced(site);
};

const noteWhatGoes = noteCluster<UndoInput>(
  async (context) => {
    const { at, by } = await lastReplaced(context.site);
    return whatGoes(context, `to what was there at ${at}, before ${by}; writes since then are put aside with it`);
  },
  async ({ site }) => ({ kept: await lastReplaced(site) }),
);

/** Takes a restore in place back: what it replaced is the cluster again, and what it made is kept in its turn. */
export const clusterUndoRestore: Operation<UndoInput> = {
  name: "cluster.undo-restore",
  summary: "Go back to before the last restore in place; what it made is kept for a while",
  title: ({ cluster }) => `Undo the restore of cluster ${cluster}`,
  scope: "admin",
  route: { method: "POST", path: "/api/cluster/undo-restore" },
  command: "db restore",
  input: z.strictObject({
    cluster: z.string().min(1).max(31).describe("The cluster's own name: everything in it goes back"),
  }),
  confirm: ({ cluster }) => cluster,
  locks: () => ["cluster", "backup"],
  guards: [isMeant, canBePutAside],
  steps: [
    startAgentStep,
    noteWhatGoes,
    archiveLastWal,
    poolsHeld([
      keepRecords,
      stopPostgres,
      setAside<UndoInput>((context) => `an undo, to ${goneBackTo(context).at}`),
      putBack,
      takeNewTimeline,
      repairLogins,
      bringBackRecords,
      settle,
      openPostgres,
    ]),
    proveConnections,
  ],
  async result(context) {
    const { aside } = noted(context);
    const { unknown, absent, mended } = context.output<Repaired>("repair-logins")!;
    return {
      cluster: context.site.topology.scope,
      as_of: goneBackTo(context).at,
      gone: absent,
      passwords_mended: mended,
      passwords_unknown: unknown,
      kept: aside,
      kept_for: context.site.topology.settings.backup.keep_replaced,
    };
  },
};
