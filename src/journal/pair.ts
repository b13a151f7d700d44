import { HomelabError } from "../core/errors.ts";
import type { RunId } from "../core/ids.ts";
import type { ImportableJournal, LocalJournal, RunRecord } from "./journal.ts";
import { Reach, type Patience } from "./reach.ts";

/** What became of bringing a run to the shared store. */
export type Brought = "written" | "stale" | "away";

export interface PairOptions {
  local: LocalJournal;
  shared: ImportableJournal;
  /** Told what the shared store refused for another reason than being away. */
  onTrouble?: (error: unknown) => void;
  /** Told when the shared store is back. */
  onBack: () => void;
  patience?: Patience;
}

/**
 * The store of this home and the one that all hubs share. A copy here whose epoch is not behind is the newer one, since
 * whoever began an epoch wrote each line into its own home first.
 */
export class Pair {
  readonly local: LocalJournal;
  readonly #shared: ImportableJournal;
  readonly #reach: Reach;
  readonly #onTrouble: (error: unknown) => void;
  readonly #waiting = new Map<RunId, { durable: boolean; done: Promise<Brought> }>();
  readonly #running = new Map<RunId, Promise<Brought>>();

  constructor({ local, shared, onTrouble, onBack, patience }: PairOptions) {
    this.local = local;
    this.#shared = shared;
    this.#onTrouble = onTrouble ?? (() => {});
    this.#reach = new Reach(() => shared.list({ limit: 1 }), onBack, patience);
  }

  get isAway(): boolean {
    return this.#reach.isAway;
  }

  /** Asks the shared store; undefined when it does not answer. @throws HomelabError `lease_lost` */
  async ask<T>(question: (shared: ImportableJournal) => Promise<T>): Promise<{ answer: T } | undefined> {
    if (this.#reach.isAway) return undefined;
    try {
      return { answer: await this.#reach.ask(() => question(this.#shared)) };
    } catch (error) {
      const code = error instanceof HomelabError ? error.code : undefined;
      if (code === "lease_lost") throw error;
      if (code !== "platform_database_away") this.#onTrouble(error);
      return undefined;
    }
  }

  /**
   * Brings all that this home knows of a run to the shared store, as it is when its turn comes: what was written while
   * another turn was under way goes along. `stale` when the run went on elsewhere; the copy here is given up then. Unless it
   * is `durable`, a power cut there may take what was brought; the next turn brings it again.
   */
  bring(id: RunId, durable = true): Promise<Brought> {
    const waiting = this.#waiting.get(id);
    if (waiting) {
      waiting.durable ||= durable;
      return waiting.done;
    }
    const done = this.#bringAfter(this.#running.get(id), id);
    this.#waiting.set(id, { durable, done });
    return done;
  }

  async #bringAfter(before: Promise<Brought> | undefined, id: RunId): Promise<Brought> {
    await before?.catch(() => {});
    const { durable, done } = this.#waiting.get(id)!;
    this.#waiting.delete(id);
    this.#running.set(id, done);
    try {
      return await this.#bringNow(id, durable);
    } finally {
      if (this.#running.get(id) === done) this.#running.delete(id);
    }
  }

  /** Lets each of the two stores know what the other one knows of a run. */
  async align(id: RunId): Promise<void> {
    const here = await this.local.export(id);
    const there = here && (await this.ask((shared) => shared.export(id)));
    if (!here || !there) return;
    if (there.answer && there.answer.epoch > here.epoch) await this.yield(here, there.answer);
    else await this.bring(id);
  }

  /** Gives the copy here up for the one of the shared store. Nobody goes on from here then, and no lock is held here. */
  async yield(here: RunRecord, there: RunRecord | undefined): Promise<void> {
    await this.local.forget({ runId: here.run.id, epoch: here.epoch });
    if (!there || there.run.state === "running") return;
    await this.local.import(there);
    await this.local.noteSynced(there.run.id, true);
  }

  /** The newer one of both copies. */
  async newest(id: RunId): Promise<RunRecord | undefined> {
    const here = await this.local.export(id);
    const there = (await this.ask((shared) => shared.export(id)))?.answer;
    if (!here || !there) return here ?? there;
    if (there.epoch > here.epoch) return there;
    return { ...here, run: { ...here.run, cancelRequested: here.run.cancelRequested || there.run.cancelRequested } };
  }

  async close(): Promise<void> {
    this.#reach.close();
    await Promise.allSettled([...this.#running.values(), ...[...this.#waiting.values()].map(({ done }) => done)]);
    await this.local.close();
    await this.#shared.close();
  }

  async #bringNow(id: RunId, durable: boolean): Promise<Brought> {
    const here = await this.local.export(id);
    const asked = here && (await this.ask((shared) => shared.import(here, durable)));
    if (!here || !asked) return "away";
    if (asked.answer === "stale") {
      await this.yield(here, (await this.ask((shared) => shared.export(id)))?.answer);
      return "stale";
    }
    if (durable && here.run.state !== "running") await this.local.noteSynced(id, true);
    return "written";
  }
}
