import { statSync } from "node:fs";
import type { EtcdLeases } from "../engines/etcd/lease.ts";

/** Who leads, and where it takes the requests that others forward to it. */
export interface Leader {
  name: string;
  url: string;
}

/** What the key's holder needs to renew it. */
export interface HeldKey {
  lease: string;
  revision: number;
}

/** The key as it was found. */
export interface FoundKey {
  leader: Leader;
  revision: number;
  /** It was written under the lock of this very home: whoever holds that lock now knows that the writer is gone. */
  ofThisHome: boolean;
}

/** The etcd that the leader's key is kept in; a test may bring its own. */
export type LeaseStore = Pick<EtcdLeases, "grant" | "keepAlive" | "revoke" | "read" | "create" | "remove">;

/** Seconds that the key outlives its last renewal. */
export const LEASE_SECONDS = 5;

/** Where etcd keeps who leads the hubs of a cluster. */
const leaderKey = (scope: string): string => `/homelab/${scope}/hub/leader`;

interface Written extends Leader {
  /** The node's name and the file of the lock: several homes may be on one machine, and several machines be copies of one. */
  seat: string;
}

/** The key of the leader in etcd, as one candidate takes and renews it. */
export class LeaderKey {
  readonly #leases: LeaseStore;
  readonly #name: string;
  readonly #me: Leader;
  readonly #seat: () => string;

  constructor(options: { leases: LeaseStore; scope: string; node: string; me: Leader; lockPath: string }) {
    this.#leases = options.leases;
    this.#name = leaderKey(options.scope);
    this.#me = options.me;
    this.#seat = () => {
      const file = statSync(options.lockPath, { throwIfNoEntry: false });
      return `${options.node}:${file?.dev}:${file?.ino}`;
    };
  }

  async find(): Promise<FoundKey | undefined> {
    const found = await this.#leases.read(this.#name);
    if (!found) return undefined;
    const { name, url, seat } = JSON.parse(found.value) as Written;
    return { leader: { name, url }, revision: found.revision, ofThisHome: seat === this.#seat() };
  }

  /** Takes it, with the home's lock in hand; `left` is what a holder of the same lock left behind. Undefined when another was faster. */
  async take(left: FoundKey | undefined): Promise<HeldKey | undefined> {
    if (left) await this.#leases.remove(this.#name, left.revision);
    const lease = await this.#leases.grant(LEASE_SECONDS);
    const value: Written = { ...this.#me, seat: this.#seat() };
    const revision = await this.#leases.create(this.#name, JSON.stringify(value), lease);
    if (revision !== undefined) return { lease, revision };
    await this.give(lease);
    return undefined;
  }

  /** Renews the lease; answers whether it had not ended. */
  renew(held: HeldKey): Promise<boolean> {
    return this.#leases.keepAlive(held.lease);
  }

  /** Gives the key up with its lease; what cannot be told to etcd ends by itself. */
  async give(lease: string): Promise<void> {
    await this.#leases.revoke(lease).catch(() => {});
  }
}
