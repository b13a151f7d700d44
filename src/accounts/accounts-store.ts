import type { Clock } from "../core/clock.ts";
import type { PlatformDatabase, PlatformTransaction } from "../store/database.ts";
import { away, isAway } from "../store/away.ts";
import { LastUses } from "./last-uses.ts";
import { Lookup } from "./lookup.ts";
import { readAccounts, readHead, type Head } from "./rows.ts";
import { mergeSession, withSessions, type SessionPolicy } from "./sessions.ts";
import { isOlder, readSnapshot, writeSnapshot } from "./snapshot.ts";
import { EMPTY_STATE, instant, type AccountsState, type WebSession } from "./state.ts";
import { Watch } from "./watch.ts";
import { CHANNEL, writeChange, type Change } from "./write-change.ts";

/** What the store works with. */
export interface StoreOptions {
  database: PlatformDatabase;
  /** The file of the snapshot. */
  snapshot: string;
  clock: Clock;
  policy: SessionPolicy;
  /** Milliseconds between two looks at the revision. */
  pollMs?: number;
  /** Milliseconds between two writings of last uses. */
  usesMs?: number;
  /** A restored or new database was filled from here. */
  onRefilled?: (from: Head, to: Head) => Promise<void>;
  /** Called at each look that found the database. */
  onReachable?: () => Promise<void>;
  /** An error that is none of a database that is away. */
  onError?: (error: unknown) => void;
}

/** Seconds that one transaction may take: somebody waits for the answer. */
const SESSION_SECONDS = 2;

/** SQLSTATE of a table that is not there (PostgreSQL manual, appendix A). */
const UNDEFINED_TABLE = "42P01";

/**
 * The accounts in memory, as the platform database has them. Changes are written there first, one at a time; sessions
 * are opened and closed here first, and written as soon as they can be.
 */
export class AccountsStore {
  readonly #options: StoreOptions;
  readonly #uses = new LastUses();
  readonly #unwritten = new Map<string, WebSession>();
  #head: Head | null = null;
  /** As the database has it; what is unwritten comes on top. */
  #stored: AccountsState = EMPTY_STATE;
  #lookup = new Lookup(EMPTY_STATE);
  #saved: string | undefined;
  #reachable = false;
  #usesWrittenAt = 0;
  #turn: Promise<unknown> = Promise.resolve();
  readonly #watch: Watch;

  private constructor(options: StoreOptions) {
    this.#options = options;
    this.#watch = new Watch({
      database: options.database,
      channel: CHANNEL,
      everyMs: options.pollMs ?? 5000,
      look: () => this.#look(),
      heard: (revision) => this.#hear(revision),
      onError: options.onError ?? (() => {}),
    });
  }

  /** Begins with the snapshot, and with the database where it answers. */
  static async open(options: StoreOptions): Promise<AccountsStore> {
    const store = new AccountsStore(options);
    const snapshot = await readSnapshot(options.snapshot);
    if (snapshot) {
      for (const session of snapshot.unwritten) store.#unwritten.set(session.id, session);
      store.#show(snapshot.head, snapshot.state);
    }
    store.#usesWrittenAt = Date.now();
    await store.#watch.start();
    return store;
  }

  get lookup(): Lookup {
    return this.#lookup;
  }

  /** Whether the accounts were ever seen: before that, nobody being there means nothing. */
  get isKnown(): boolean {
    return this.#head !== null;
  }

  get uses(): Pick<LastUses, "note" | "latest"> {
    return this.#uses;
  }

  /** Changes the accounts. @throws HomelabError `platform_database_away`, and what `change` throws */
  change(change: Change): Promise<void> {
    return this.#inTurn(() => this.#write(change));
  }

  /**
   * Keeps sessions that were opened or ended here; with the database away it writes them later. `change` is what else is
   * to be written with them, and is left out then.
   */
  async keepSessions(sessions: readonly WebSession[], change: Change = (state) => state): Promise<void> {
    for (const session of sessions) {
      const known = this.#unwritten.get(session.id);
      this.#unwritten.set(session.id, known ? mergeSession(session, known) : session);
    }
    this.#show(this.#head, this.#stored);
    await this.#inTurn(async () => {
      try {
        // Known to be away: nobody who signs in is to wait for it. The next look writes.
        if (this.#reachable) return await this.#write(change);
      } catch (error) {
        if (!isAway(error)) throw this.#dropped(sessions, error);
        this.#reachable = false;
      }
      await this.#save();
    });
  }

  /** Asks the database for the newest state, and writes what it does not know. @throws HomelabError `platform_database_away` */
  refresh(): Promise<void> {
    return this.#inTurn(() => this.#load());
  }

  async close(): Promise<void> {
    await this.#watch.stop();
    await this.#uses.write(this.#options.database).catch(() => {});
    await this.#turn;
  }

  /** One after the other: an older answer must not take the place of a newer one. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #load(): Promise<void> {
    const { head, state } = await this.#session((db) => readAccounts(db, "share"));
    if (isOlder(head, this.#head) || this.#unwritten.size > 0) return this.#write((same) => same);
    this.#show(head, state);
    await this.#save();
  }

  async #write(change: Change): Promise<void> {
    const { policy, clock, onRefilled } = this.#options;
    const sessions = [...this.#unwritten.values()];
    const local = { head: this.#head, state: this.#stored, sessions, change, policy, now: clock.now() };
    const { head, state, refilledFrom } = await this.#session((db) => writeChange(db, local));
    for (const session of sessions) if (this.#unwritten.get(session.id) === session) this.#unwritten.delete(session.id);
    this.#reachable = true;
    this.#show(head, state);
    await this.#save();
    if (refilledFrom) await onRefilled?.(refilledFrom, head);
  }

  /** What the database refuses for itself is not kept: it would hold up everything behind it. */
  #dropped(sessions: readonly WebSession[], error: unknown): unknown {
    for (const { id } of sessions) this.#unwritten.delete(id);
    this.#show(this.#head, this.#stored);
    return error;
  }

  /** Makes a state the one that is asked, with what is unwritten on top. */
  #show(head: Head | null, stored: AccountsState): void {
    this.#head = head;
    this.#stored = stored;
    const now = instant(this.#options.clock.now());
    this.#lookup = new Lookup(withSessions(stored, [...this.#unwritten.values()], now));
  }

  /** Writes the snapshot, where it is not the one on disk already. Without room for it, the next change tries again. */
  async #save(): Promise<void> {
    const unwritten = [...this.#unwritten.values()];
    const mark = JSON.stringify([this.#head?.databaseId, this.#head?.revision, unwritten]);
    if (mark === this.#saved) return;
    const snapshot = { version: 1, head: this.#head, state: this.#stored, unwritten } as const;
    try {
      await writeSnapshot(this.#options.snapshot, snapshot);
      this.#saved = mark;
    } catch (error) {
      this.#options.onError?.(error);
    }
  }

  /** One look at the database: what changed there, and what is to be written. @throws HomelabError `platform_database_away` */
  async #look(): Promise<void> {
    const { usesMs = 60_000, onReachable } = this.#options;
    try {
      const isDue = Date.now() - this.#usesWrittenAt >= usesMs;
      if (isDue) await this.#uses.write(this.#options.database);
      const head = await this.#session(readHead);
      const isSame = head.databaseId === this.#head?.databaseId && head.revision === this.#head.revision;
      // Last uses change no revision: other hubs' are read now and then.
      if (isDue || !isSame || this.#unwritten.size > 0) await this.refresh();
      if (isDue) this.#usesWrittenAt = Date.now();
      this.#reachable = true;
    } catch (error) {
      this.#reachable = false;
      throw error;
    }
    await onReachable?.();
  }

  #hear(revision: string): void {
    const load = () => (Number(revision) === this.#head?.revision ? Promise.resolve() : this.#load());
    // What was missed here is found by the next look.
    this.#inTurn(load).catch(() => {});
  }

  /** A short transaction. A database without our tables (one that was made anew) is not there yet for us. */
  async #session<T>(work: (db: PlatformTransaction) => Promise<T>): Promise<T> {
    try {
      return await this.#options.database.session(work, SESSION_SECONDS);
    } catch (error) {
      throw (error as { code?: string }).code === UNDEFINED_TABLE ? away(error) : error;
    }
  }
}
