import type { RunId } from "../core/ids.ts";
import type { Pair } from "./pair.ts";

/** Runs that are looked at in one go, and how many in a row must be there until all older ones are believed to be. */
const PAGE = 50;
const ENOUGH = 5;

/** Brings to the shared store what it missed: runs of the time when it was away, or not there yet, or that it lost. */
export class MirrorSync {
  readonly #pair: Pair;
  readonly #isHeld: (id: RunId) => boolean;
  #under: Promise<number> | undefined;
  #believed = false;

  constructor(pair: Pair, isHeld: (id: RunId) => boolean) {
    this.#pair = pair;
    this.#isHeld = isHeld;
  }

  /** Brings everything. Answers how many runs are whole there now that were not before. */
  sync(): Promise<number> {
    return (this.#under ??= this.#syncNow().finally(() => (this.#under = undefined)));
  }

  /** The shared store was away: it may be an older one now. */
  doubt(): void {
    this.#believed = false;
  }

  async #syncNow(): Promise<number> {
    if (!this.#believed) this.#believed = await this.#findLost();
    const { local } = this.#pair;
    const left = new Set((await local.interrupted()).map(({ id }) => id));
    let whole = 0;
    for (const id of await local.unsynced()) {
      if (this.#pair.isAway) break;
      const run = await local.get(id);
      const over = run?.state !== "running";
      // Another process of this home is at it: the others would take its run over as soon as they saw it.
      if (!over && !this.#isHeld(id) && !left.has(id)) continue;
      if ((await this.#pair.bring(id)) === "written" && over) whole++;
    }
    return whole;
  }

  /** Looks for runs that the shared store had whole and has no more: it was restored, or made anew. Answers whether it could be asked. */
  async #findLost(): Promise<boolean> {
    const { local } = this.#pair;
    const known = new Set(await local.unsynced());
    let before: RunId | undefined;
    for (let found = 0; found < ENOUGH;) {
      const page = await local.list({ limit: PAGE, before });
      for (const { id, state } of page.filter((run) => !known.has(run.id))) {
        const there = await this.#pair.ask((shared) => shared.get(id));
        if (!there) return false;
        found = there.answer?.state === state ? found + 1 : 0;
        if (found === 0) await local.noteSynced(id, false);
        if (found === ENOUGH) break;
      }
      if (page.length < PAGE) break;
      before = page.at(-1)!.id;
    }
    return true;
  }
}
