import { systemClock } from "../core/clock.ts";
import type { Topology } from "../cluster/topology.ts";
import type { EtcdLeases } from "../engines/etcd/lease.ts";
import { identify, isAlive } from "../host/processes.ts";
import { openFileJournal } from "../journal/file.ts";
import type { Holder } from "../journal/journal.ts";
import { MirroredJournal } from "../journal/mirrored.ts";
import { openPlatformJournal } from "../journal/platform.ts";
import type { PlatformDatabase } from "../store/database.ts";
import { newestCopies } from "./newest-copies.ts";

/** Where a process that may lead keeps its runs. */
export interface HubJournalOptions {
  topology: Topology;
  database: PlatformDatabase;
  leadership: { readonly isLeader: boolean };
  leases: EtcdLeases;
  /** The name of the home, or of the second hub within it, and the file of its own runs. */
  home: string;
  path: string;
  aloneAllowed: boolean;
  /** Told what the platform database refused. */
  onTrouble?: (error: unknown) => void;
}

/** The journal of a process that may lead: its home's file, and the platform database beside it. */
export function openHubJournal(options: HubJournalOptions): MirroredJournal {
  const { topology, database, leadership, leases, home, path, aloneAllowed, onTrouble } = options;
  const { pid, startTicks, bootId } = identify(process.pid)!;
  const common = {
    clock: systemClock,
    holder: { pid, startTicks, bootId },
    isAlive: (other: Holder) => isAlive({ ...other, startedAt: "" }),
  };
  return new MirroredJournal({
    local: openFileJournal({ ...common, path }),
    shared: openPlatformJournal({ ...common, database, leads: () => leadership.isLeader }),
    leadership,
    copies: newestCopies({ leases, scope: topology.scope, home, aloneAllowed }),
    onTrouble,
  });
}
