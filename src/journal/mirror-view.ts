import type { RunId } from "../core/ids.ts";
import type { Journal, Run, StepEntry } from "./journal.ts";
import type { Pair } from "./pair.ts";

/** So many of the newest runs that the shared store may lack are looked at in a list; the others come there within seconds. */
const MOST = 100;

/** A run of which this home knows more than the shared store, as each of the two has it. */
interface Ahead {
  here: Run;
  there: Run | undefined;
}

type Filter = NonNullable<Parameters<Journal["list"]>[0]>;

/** What both stores of a mirrored journal know together: the shared one, and over it what only this home knows yet. */
export class MirrorView {
  readonly #pair: Pair;
  readonly #isHeld: (id: RunId) => boolean;

  /** `isHeld`: whether this process runs a run; nobody knows more of it then. */
  constructor(pair: Pair, isHeld: (id: RunId) => boolean) {
    this.#pair = pair;
    this.#isHeld = isHeld;
  }

  async get(id: RunId): Promise<Run | undefined> {
    if (!this.#isHeld(id)) return (await this.#pair.newest(id))?.run;
    const here = await this.#pair.local.get(id);
    const there = here && (await this.#pair.ask((shared) => shared.get(id)))?.answer;
    return here && { ...here, cancelRequested: here.cancelRequested || there?.cancelRequested === true };
  }

  async entries(id: RunId, afterSeq = 0): Promise<StepEntry[]> {
    if (this.#isHeld(id)) return this.#pair.local.entries(id, afterSeq);
    return ((await this.#pair.newest(id))?.entries ?? []).filter(({ seq }) => seq > afterSeq);
  }

  async list(filter: Filter = {}): Promise<Run[]> {
    const { limit = 50 } = filter;
    const ahead = await this.#ahead();
    const there = await this.#pair.ask((shared) => shared.list({ ...filter, limit: limit + ahead.size }));
    if (!there) return this.#pair.local.list(filter);
    const own = [...ahead.values()].map(({ here }) => here).filter((run) => isWanted(run, filter));
    const all = [...there.answer.filter(({ id }) => !ahead.has(id)), ...own];
    return all.sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, limit);
  }

  async count(filter: Filter = {}): Promise<number> {
    const ahead = [...(await this.#ahead()).values()];
    const there = await this.#pair.ask((shared) => shared.count(filter));
    if (!there) return this.#pair.local.count(filter);
    const wanted = (runs: (Run | undefined)[]) => runs.filter((run) => run && isWanted(run, filter)).length;
    return there.answer - wanted(ahead.map((run) => run.there)) + wanted(ahead.map((run) => run.here));
  }

  async interrupted(): Promise<Run[]> {
    const here = await this.#pair.local.interrupted();
    const there = await this.#pair.ask((shared) => shared.interrupted());
    if (!there) return here;
    const ahead = await this.#ahead();
    const all = [...there.answer.filter(({ id }) => !ahead.has(id)), ...here.filter(({ id }) => ahead.has(id))];
    return all.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** The runs of which this home knows more; none while the shared store is away. */
  async #ahead(): Promise<Map<RunId, Ahead>> {
    const found = new Map<RunId, Ahead>();
    for (const id of (await this.#pair.local.unsynced()).slice(-MOST)) {
      const here = await this.#pair.local.export(id);
      const there = await this.#pair.ask((shared) => shared.export(id));
      if (!there) break;
      if (here && here.epoch >= (there.answer?.epoch ?? 0)) found.set(id, { here: here.run, there: there.answer?.run });
    }
    return found;
  }
}

const isWanted = (run: Run, { state, operation, before }: Filter): boolean =>
  (state === undefined || run.state === state) &&
  (operation === undefined || run.operation === operation) &&
  (before === undefined || run.id < before);
