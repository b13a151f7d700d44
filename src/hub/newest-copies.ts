import type { RunId } from "../core/ids.ts";
import type { EtcdLeases } from "../engines/etcd/lease.ts";
import type { NewestCopies } from "../journal/mirrored.ts";

/** What the notes are kept in. */
export interface NewestCopiesOptions {
  leases: Pick<EtcdLeases, "read" | "write" | "remove">;
  /** The cluster's name. */
  scope: string;
  /** The name of this home within it. */
  home: string;
  /** This home may act without etcd: then its copies are the newest as far as anybody can know. */
  aloneAllowed: boolean;
}

/**
 * Notes in etcd which home took a run over from another one. A hub that leads while the platform database is away sees
 * there whether its own copy is an old one: to go on from that would repeat what is behind a barrier.
 */
export function newestCopies({ leases, scope, home, aloneAllowed }: NewestCopiesOptions): NewestCopies {
  const key = (id: RunId) => `/homelab/${scope}/hub/runs/${id}`;
  return {
    note: (id) => leases.write(key(id), home),
    async isHere(id) {
      try {
        const noted = await leases.read(key(id));
        return noted === undefined || noted.value === home;
      } catch {
        return aloneAllowed;
      }
    },
    async forget(id) {
      const noted = await leases.read(key(id));
      if (noted) await leases.remove(key(id), noted.revision);
    },
  };
}
