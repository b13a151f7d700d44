import { errorRecord, HomelabError } from "../core/errors.ts";
import type { RunId } from "../core/ids.ts";
import type { Admission, Claim, Journal, NewRun, Obstacle, Run, RunRecord, StepEntry } from "./journal.ts";
import { MirrorSync } from "./mirror-sync.ts";
import { MirrorView } from "./mirror-view.ts";
import { Pair, type PairOptions } from "./pair.ts";

/** Which home has the newest copy of a run that was taken over from another home. */
export interface NewestCopies {
  /** Notes that this home is about to have it. */
  note(id: RunId): Promise<void>;
  /** Whether no other home has it. */
  isHere(id: RunId): Promise<boolean>;
  forget(id: RunId): Promise<void>;
}

export interface MirroredOptions extends Omit<PairOptions, "onBack"> {
  /** Only who leads begins runs, takes them over and goes on with them. */
  leadership: { readonly isLeader: boolean };
  /** Without it, this home is the only one. */
  copies?: NewestCopies;
}

/**
 * The journal of a hub: each line is written to the store of its home first, and then to the one that all hubs share.
 * While that one is away, a run goes on here, and what the shared store missed is brought once it is back. Another hub
 * takes a run over through the shared store, and brings it home.
 */
export class MirroredJournal implements Journal {
  readonly #pair: Pair;
  readonly #view: MirrorView;
  readonly #sync: MirrorSync;
  readonly #leadership: MirroredOptions["leadership"];
  readonly #copies: NewestCopies | undefined;
  /** The runs of this process. */
  readonly #held = new Map<RunId, Claim>();

  constructor({ leadership, copies, ...stores }: MirroredOptions) {
    this.#leadership = leadership;
    this.#copies = copies;
    const onBack = () => {
      this.#sync.doubt();
      void this.sync().catch(stores.onTrouble);
    };
    this.#pair = new Pair({ ...stores, onBack });
    const isHeld = (id: RunId) => this.#held.has(id);
    this.#view = new MirrorView(this.#pair, isHeld);
    this.#sync = new MirrorSync(this.#pair, isHeld);
  }

  /** Brings what the shared store missed. Answers how many runs are whole there now that were not before. */
  sync(): Promise<number> {
    return this.#sync.sync();
  }

  /** The shared store may be an older one now: the next look finds what it lost. */
  doubt(): void {
    this.#sync.doubt();
  }

  /** Whether runs are written to this home alone for now. */
  get isAlone(): boolean {
    return this.#pair.isAway;
  }

  async begin(run: NewRun): Promise<Admission> {
    if (!this.#leadership.isLeader) throw new HomelabError("no_leader", "this hub does not lead");
    const admission = (await this.#obstacle(run)) ?? (await this.#claim(run));
    if (admission.kind === "claimed") this.#held.set(run.id, admission.claim);
    return admission;
  }

  async takeOver(id: RunId): Promise<Claim | undefined> {
    if (!this.#leadership.isLeader || this.#held.has(id)) return undefined;
    const claim = await this.#takeNewest(id);
    if (claim) this.#held.set(id, claim);
    return claim;
  }

  renew(claim: Claim): Promise<void> {
    return this.#write(claim, () => this.#pair.local.renew(claim));
  }

  append(...[claim, entry, durable]: Parameters<Journal["append"]>): Promise<void> {
    return this.#write(claim, () => this.#pair.local.append(claim, entry, durable), durable);
  }

  progress(claim: Claim, progress: Run["progress"]): Promise<void> {
    return this.#write(claim, () => this.#pair.local.progress(claim, progress));
  }

  async finish(...[claim, state, outcome]: Parameters<Journal["finish"]>): Promise<void> {
    await this.#write(claim, () => this.#pair.local.finish(claim, state, outcome), true);
    this.#held.delete(claim.runId);
    if (claim.epoch > 1) await this.#copies?.forget(claim.runId).catch(() => {});
  }

  /** Who does not lead any more gives its runs up: that alone it may still write. */
  async release(claim: Claim): Promise<void> {
    await this.#pair.local.release(claim);
    this.#held.delete(claim.runId);
    await this.#bring(claim, true);
  }

  get(id: RunId): Promise<Run | undefined> {
    return this.#view.get(id);
  }

  entries(id: RunId, afterSeq?: number): Promise<StepEntry[]> {
    return this.#view.entries(id, afterSeq);
  }

  list(filter?: Parameters<Journal["list"]>[0]): Promise<Run[]> {
    return this.#view.list(filter);
  }

  count(filter?: Parameters<Journal["count"]>[0]): Promise<number> {
    return this.#view.count(filter);
  }

  interrupted(): Promise<Run[]> {
    return this.#view.interrupted();
  }

  async requestCancel(id: RunId): Promise<boolean> {
    if ((await this.get(id))?.state !== "running") return false;
    const here = await this.#pair.local.requestCancel(id);
    const there = await this.#pair.ask((shared) => shared.requestCancel(id));
    return here || there?.answer === true;
  }

  close(): Promise<void> {
    return this.#pair.close();
  }

  /** What is in the way here. It may be over, or gone on elsewhere, and only the shared store know. */
  async #obstacle(run: NewRun): Promise<Obstacle | undefined> {
    const found = await this.#pair.local.obstacle(run);
    if (!found || this.#held.has(found.run.id)) return found;
    await this.#pair.align(found.run.id);
    return this.#pair.local.obstacle(run);
  }

  async #claim(run: NewRun): Promise<Admission> {
    let there = await this.#pair.ask((shared) => shared.begin(run));
    if (there && there.answer.kind !== "claimed") {
      // It may be over, and only this home know.
      await this.#pair.align(there.answer.run.id);
      there = await this.#pair.ask((shared) => shared.begin(run));
      if (there && there.answer.kind !== "claimed") return there.answer;
    }
    const here = await this.#pair.local.begin(run);
    if (here.kind !== "claimed" && there) await this.#takeBack({ runId: run.id, epoch: 1 });
    return here;
  }

  /** Another process of this home was faster, within the moment that it took to ask the shared store. */
  async #takeBack(claim: Claim): Promise<void> {
    const error = errorRecord(new HomelabError("busy", "another operation was begun in the same moment"));
    await this.#pair.ask((shared) => shared.finish(claim, "refused", { error }));
  }

  async #takeNewest(id: RunId): Promise<Claim | undefined> {
    const here = await this.#pair.local.export(id);
    const asked = await this.#pair.ask((shared) => shared.export(id));
    if (!asked) return here && (await this.#isNewest(id)) ? this.#pair.local.takeOver(id) : undefined;
    const there = asked.answer;
    if (there && (!here || there.epoch > here.epoch)) return this.#takeFromElsewhere(id, here);
    const claim = await this.#pair.local.takeOver(id);
    return claim && (await this.#pair.bring(id)) !== "stale" ? claim : undefined;
  }

  /** While the shared store is away, a copy may be an old one: another home went on from it, and is gone in its turn. */
  async #isNewest(id: RunId): Promise<boolean> {
    return this.#copies === undefined || this.#copies.isHere(id);
  }

  async #takeFromElsewhere(id: RunId, here: RunRecord | undefined): Promise<Claim | undefined> {
    await this.#copies?.note(id);
    const claim = (await this.#pair.ask((shared) => shared.takeOver(id)))?.answer;
    const there = (await this.#pair.ask((shared) => shared.export(id)))?.answer;
    if (here && there) await this.#pair.yield(here, there);
    if (there && there.run.state !== "running") await this.#copies?.forget(id);
    if (!claim || !there) return undefined;
    return (await this.#pair.local.import(there)) === "written" ? claim : undefined;
  }

  async #write(claim: Claim, work: () => Promise<void>, durable = false): Promise<void> {
    // A process that was frozen asks this first when it wakes.
    if (!this.#leadership.isLeader) throw lost(claim);
    await work();
    await this.#bring(claim, durable);
  }

  async #bring(claim: Claim, durable: boolean): Promise<void> {
    if ((await this.#pair.bring(claim.runId, durable)) !== "stale") return;
    this.#held.delete(claim.runId);
    throw lost(claim);
  }
}

const lost = ({ runId }: Claim): HomelabError =>
  new HomelabError("lease_lost", `the run ${runId} is another process's now`);
