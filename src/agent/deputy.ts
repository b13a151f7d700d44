import { join } from "node:path";
import { sleep } from "../core/clock.ts";
import { clusterLeases, type EtcdLeases } from "../engines/etcd/lease.ts";
import { certificateFiles } from "../engines/tls.ts";
import { exists } from "../host/files.ts";
import { isReady } from "../host/probe.ts";
import { findProcess } from "../host/processes.ts";
import { readDesired } from "../host/services.ts";
import { Leadership } from "../hub/leadership.ts";
import type { Journal } from "../journal/journal.ts";
import { renewCertificate, resumeInterrupted, startDue } from "../operations/chores.ts";
import type { AnyOperation } from "../operations/operation.ts";
import { Detach, Runner } from "../operations/runner.ts";
import type { Site } from "../site/site.ts";

/** What a deputy works with. */
export interface DeputyOptions {
  site: Site;
  /** The runs of this home, to see whether something waits. */
  journal: Journal;
  registry: readonly AnyOperation[];
  /** Milliseconds without a leader after which it does what a hub should; 20 s by default. */
  patience?: number;
}

/** Work of the hub that comes round: when it is due next, on the clock that never jumps. */
const ROUNDS = [
  { every: 60_000, work: startDue },
  { every: 3_600_000, work: renewCertificate },
];

/**
 * Does the platform's housekeeping while no hub leads: what was interrupted is finished, and what is due is started
 * (faults F81). It takes the leadership for that, so that it never works beside a hub, and gives it up right after, or as
 * soon as a hub is there.
 */
export class Deputy {
  readonly #options: DeputyOptions;
  readonly #site: Site;
  readonly #leases: EtcdLeases;
  readonly #leadership: Leadership;
  readonly #next = ROUNDS.map(() => 0);
  #ledAt = performance.now();

  constructor(options: DeputyOptions) {
    const { node, nodes, paths, scope } = options.site.topology;
    this.#options = options;
    this.#site = options.site;
    this.#leases = clusterLeases(options.site.topology);
    this.#leadership = new Leadership({
      // It takes no requests.
      me: { name: `agent:${node.name}`, url: "" },
      scope,
      node: node.name,
      leases: this.#leases,
      lockPath: join(paths.state, "hub.lock"),
      aloneAllowed: nodes.length === 1,
    });
  }

  /** Looks whether it is needed, and does what is due. Answers what it did. */
  async look(ending: AbortSignal): Promise<string[]> {
    if (await this.#isLed()) {
      this.#ledAt = performance.now();
      return [];
    }
    if (performance.now() - this.#ledAt < (await this.#patience())) return [];
    const isBootstrapped = await exists(this.#site.topology.paths.bootstrapped);
    const waits = (await this.#options.journal.interrupted()).length > 0;
    const due = isBootstrapped ? ROUNDS.filter((_, i) => this.#next[i]! <= performance.now()) : [];
    if ((!waits && due.length === 0) || !(await this.#leadership.campaign())) return [];
    return this.#act(due, ending);
  }

  close(): void {
    this.#leases.close();
  }

  async #isLed(): Promise<boolean> {
    try {
      return (await this.#leadership.lookUp()) !== undefined;
    } catch {
      return this.#hubAnswers();
    }
  }

  async #hubAnswers(): Promise<boolean> {
    const { paths } = this.#site.topology;
    const hub = await this.#hub();
    if (!hub || !(await findProcess(paths.run, "hub"))) return false;
    return isReady(hub.ready, certificateFiles(paths));
  }

  async #hub() {
    return (await readDesired(this.#site.topology.paths))?.services.find(({ name }) => name === "hub");
  }

  /** A home that was not set up whole has no hub to wait for. */
  async #patience(): Promise<number> {
    return (await this.#hub()) ? (this.#options.patience ?? 20_000) : 0;
  }

  async #act(due: typeof ROUNDS, ending: AbortSignal): Promise<string[]> {
    const leave = new AbortController();
    // Read now: an agent that never acts has no need of what speaks to the platform database.
    const { openDeputyJournal } = await import("./deputy-journal.ts");
    const { journal, close } = openDeputyJournal(this.#site, { leadership: this.#leadership, leases: this.#leases });
    const signal = AbortSignal.any([this.#leadership.signal, leave.signal, ending]);
    const runner = new Runner({ site: this.#site, journal, registry: this.#options.registry, signal });
    const done = this.#work(due, runner, journal);
    void this.#leaveToHub(leave, signal);
    try {
      return await done;
    } finally {
      leave.abort();
      await this.#leadership.resign();
      await close();
    }
  }

  async #work(due: typeof ROUNDS, runner: Runner, journal: Journal): Promise<string[]> {
    try {
      const did = await resumeInterrupted(runner, journal);
      for (const round of due) {
        this.#next[ROUNDS.indexOf(round)] = performance.now() + round.every;
        did.push(...(await round.work(this.#site, runner)));
      }
      return did;
    } catch (error) {
      // A hub is there, and goes on with it.
      if (error instanceof Detach) return [];
      throw error;
    }
  }

  /** A run may take hours, and a hub that came meanwhile could begin nothing for so long. */
  async #leaveToHub(leave: AbortController, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (await this.#hubAnswers().catch(() => false)) leave.abort();
      await sleep(1000, signal).catch(() => {});
    }
  }
}
