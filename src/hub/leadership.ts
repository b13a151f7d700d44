import { uptime } from "node:os";
import { sleep } from "../core/clock.ts";
import { HomelabError } from "../core/errors.ts";
import { takeLock } from "../host/lock.ts";
import { LEASE_SECONDS, LeaderKey, type FoundKey, type HeldKey, type Leader, type LeaseStore } from "./leader-key.ts";

/** What a candidate for the leadership goes by. */
export interface LeadershipOptions {
  me: Leader;
  /** The cluster's name, and this node's within it. */
  scope: string;
  node: string;
  leases: LeaseStore;
  /** The file of this home that its leader holds. */
  lockPath: string;
  /** This home is the cluster's only one: whoever holds its lock may lead without etcd. */
  aloneAllowed: boolean;
  /** Milliseconds on a clock that never jumps, and goes on while the machine sleeps. */
  now?: () => number;
  /** Milliseconds between two renewals, or two looks at who leads; a third of it when etcd did not answer. */
  beat?: number;
}

/** Milliseconds after a renewal for which a leader trusts it: it stops a second before anybody else can begin. */
const TRUST = LEASE_SECONDS * 1000 - 1000;
const BEAT = 1500;
/** Milliseconds that runs have to end when the leadership is given up. */
const UNWIND = 5000;
/** So often in a row etcd must have said nothing before a home leads alone: another's term has run out by then. */
const SILENCES = 10;

/** The leadership of this process from its begin to its loss. */
interface Term {
  controller: AbortController;
  lock: { release(): void };
  /** Undefined when the term was begun without etcd. */
  key: HeldKey | undefined;
  /** Etcd is away, and the lock alone decides. */
  alone: boolean;
  /** When the last confirmed renewal was asked for; while alone, when etcd was last found away. */
  renewed: number;
}

/**
 * One candidate for the leadership of a cluster's hubs. The leader is whose key stands in etcd; the key hangs on a lease
 * that is renewed, and the leader holds its home's lock besides. A leader that could not renew in time counts itself out
 * before etcd gives the key to another, and a process that was frozen notices as soon as it asks `isLeader`.
 */
export class Leadership {
  readonly #options: LeadershipOptions;
  readonly #key: LeaderKey;
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #term: Term | undefined;
  #seen: { leader: Leader; at: number } | undefined;
  #silences = 0;
  #said = "";
  #watchdog: NodeJS.Timeout | undefined;
  #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.#key = new LeaderKey(options);
    this.#now = options.now ?? (() => uptime() * 1000);
  }

  /** Whether this process leads at this very moment. */
  get isLeader(): boolean {
    this.#expire();
    return this.#term !== undefined;
  }

  /**
   * Aborted once this term is over: with a `detached` when it is given up, so that runs leave things in order; with a
   * `lease_lost` when it is lost, and they must do nothing more. Aborted already while this process does not lead.
   */
  get signal(): AbortSignal {
    return this.isLeader ? this.#term!.controller.signal : AbortSignal.abort(notLeading());
  }

  /** The fencing token: it grows with every change of the leader. Undefined without leading, or without etcd. */
  get revision(): number | undefined {
    return this.isLeader ? this.#term!.key?.revision : undefined;
  }

  /** Who leads, as far as is known. */
  leader(): Leader | undefined {
    if (this.isLeader) return this.#options.me;
    const fresh = this.#seen && this.#now() - this.#seen.at <= LEASE_SECONDS * 1000;
    return fresh ? this.#seen!.leader : undefined;
  }

  /** Calls back whenever another leads, or nobody. Answers how to end that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Stands for the leadership from now on, whenever it is free. */
  start(): void {
    this.#keepOn(true);
  }

  /** Stands once; when that goes well, the leadership is held until it is lost or given up. */
  async campaign(): Promise<boolean> {
    if (this.isLeader) return true;
    this.#stop.abort();
    await this.#loop;
    await this.#round(true);
    if (this.isLeader) this.#keepOn(false);
    return this.isLeader;
  }

  /** Asks etcd who leads. @throws HomelabError `engine_unreachable` */
  async lookUp(): Promise<Leader | undefined> {
    return (await this.#key.find())?.leader;
  }

  /**
   * Stands no more, and gives the leadership up, so that another can have it at once. What goes on under it is told by the
   * signal first, and has some seconds to end: `ended` waits for it.
   */
  async resign(ended: () => Promise<unknown> = async () => {}): Promise<void> {
    this.#term?.controller.abort(new HomelabError("detached", "this process gives the leadership up"));
    await Promise.race([ended(), sleep(UNWIND)]);
    this.#stop.abort();
    await this.#loop;
    const held = this.#term?.key;
    this.#lose();
    if (held) await this.#key.give(held.lease);
  }

  #keepOn(stands: boolean): void {
    const { beat = BEAT } = this.#options;
    const stop = (this.#stop = new AbortController()).signal;
    const goesOn = () => !stop.aborted && (stands || this.#term !== undefined);
    const loop = async () => {
      while (goesOn()) {
        const answered = await this.#round(stands);
        await sleep(answered ? beat : beat / 3, stop).catch(() => {});
      }
    };
    this.#loop = loop();
  }

  /** Renews, or looks who leads and may be the next. Answers whether etcd answered. */
  async #round(stands: boolean): Promise<boolean> {
    const asked = this.#now();
    this.#expire();
    try {
      if (this.#term) await this.#renew(this.#term, asked);
      else await this.#look(stands, asked);
      this.#silences = 0;
      return true;
    } catch {
      this.#withoutEtcd(stands);
      return false;
    } finally {
      this.#announce();
    }
  }

  async #renew(term: Term, asked: number): Promise<void> {
    const renewed = term.key !== undefined && (await this.#key.renew(term.key));
    const found = await this.#key.find();
    // Lost while etcd was asked.
    if (term !== this.#term) return;
    const kept = renewed && found?.revision === term.key!.revision;
    // Alone until now, and still the holder of the lock that every leader of this home needs: it only lacks the key.
    const lacking = !kept && term.alone && (!found || found.ofThisHome);
    const key = kept ? term.key : lacking ? await this.#key.take(found) : undefined;
    if (key) this.#hold({ ...term, key, alone: false, renewed: asked });
    else this.#lose();
  }

  async #look(stands: boolean, asked: number): Promise<void> {
    const found = await this.#key.find();
    this.#seen = found && { leader: found.leader, at: asked };
    if (stands && (!found || found.ofThisHome)) await this.#stand(found, asked);
  }

  async #stand(left: FoundKey | undefined, asked: number): Promise<void> {
    const lock = tryLock(this.#options.lockPath);
    if (!lock) return;
    try {
      const key = await this.#key.take(left);
      if (key) this.#hold({ controller: new AbortController(), lock, key, alone: false, renewed: asked });
    } finally {
      if (!this.#term) lock.release();
    }
  }

  #hold(term: Term): void {
    this.#term = term;
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#expire(), TRUST - (this.#now() - term.renewed) + 20).unref();
  }

  /**
   * The only home of its cluster needs nobody's word: its lock keeps every other leader away. That etcd is away must have
   * been found just now, for a leader was perhaps frozen since; and often, for who was not the leader.
   */
  #withoutEtcd(stands: boolean): void {
    this.#expire();
    this.#silences++;
    if (!this.#options.aloneAllowed) return;
    const alone = { key: undefined, alone: true, renewed: this.#now() };
    if (this.#term) return this.#hold({ ...this.#term, ...alone, key: this.#term.key });
    const lock = stands && this.#silences >= SILENCES ? tryLock(this.#options.lockPath) : undefined;
    if (lock) this.#hold({ controller: new AbortController(), lock, ...alone });
  }

  #expire(): void {
    if (!this.#term) return;
    const age = this.#now() - this.#term.renewed;
    if (age < 0 || age > TRUST) this.#lose();
  }

  #lose(): void {
    const term = this.#term;
    this.#term = undefined;
    clearTimeout(this.#watchdog);
    term?.controller.abort(notLeading());
    term?.lock.release();
    this.#announce();
  }

  #announce(): void {
    const says = `${this.leader()?.name} ${this.revision}`;
    if (says === this.#said) return;
    this.#said = says;
    for (const listener of this.#listeners) listener();
  }
}

const notLeading = (): HomelabError => new HomelabError("lease_lost", "this process no longer leads");

/** A home whose folder is not there (yet) has no leader. */
function tryLock(path: string): ReturnType<typeof takeLock> {
  try {
    return takeLock(path);
  } catch {
    return undefined;
  }
}
