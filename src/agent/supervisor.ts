import { stat } from "node:fs/promises";
import type { HomePaths } from "../cluster/home.ts";
import { errorMessage } from "../core/errors.ts";
import { certificateFiles } from "../engines/tls.ts";
import { exists } from "../host/files.ts";
import type { ServiceState } from "../host/agent-process.ts";
import { isReady } from "../host/probe.ts";
import {
  findProcess,
  isNotedAlive,
  startProcess,
  stopLeftover,
  stopProcess,
  wasStopped,
  type ProcessIdentity,
  type ProcessSpec,
} from "../host/processes.ts";
import { readDesired, type DesiredServices } from "../host/services.ts";
import type { Account } from "./account.ts";
import { backOff } from "./back-off.ts";

/** What the supervisor remembers of a service. */
interface Watched {
  spec: ProcessSpec;
  identity: ProcessIdentity | undefined;
  ready: boolean;
  /** When it died lately, for the back-off. */
  deaths: number[];
  restarts: number;
  lastExit: string | null;
  notBefore: number;
  busy: boolean;
}

/**
 * Keeps the services of this node running: finds those that live, starts those that do not, waits longer each time one
 * dies again. It never stops one because it does not answer: Patroni alone decides about PostgreSQL.
 */
export class Supervisor {
  readonly #paths: HomePaths;
  readonly #account: Account;
  readonly #watched = new Map<string, Watched>();
  #desired: DesiredServices | undefined;
  #readAt = 0;

  constructor(paths: HomePaths, account: Account) {
    this.#paths = paths;
    this.#account = account;
  }

  /** One look at everything. Answers false once all was stopped on request. */
  async look(): Promise<boolean> {
    await this.#readDesired();
    if (!this.#desired) return true;
    if (!this.#desired.up) {
      await this.#stopAll();
      return false;
    }
    for (const watched of this.#watched.values()) if (!watched.busy) await this.#lookAt(watched);
    this.#account.services([...this.#watched.values()].map(stateOf));
    return true;
  }

  async #readDesired(): Promise<void> {
    const changed = await stat(this.#paths.services).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
    if (changed === this.#readAt) return;
    this.#readAt = changed;
    this.#desired = await readDesired(this.#paths);
    for (const spec of this.#desired?.services ?? []) {
      const known = this.#watched.get(spec.name);
      if (known) known.spec = spec;
      else
        this.#watched.set(spec.name, {
          spec,
          identity: undefined,
          ready: false,
          deaths: [],
          restarts: 0,
          lastExit: null,
          notBefore: 0,
          busy: false,
        });
    }
  }

  async #lookAt(watched: Watched): Promise<void> {
    const { spec } = watched;
    const found = await findProcess(this.#paths.run, spec.name);
    if (found) {
      if (found.pid !== watched.identity?.pid) this.#met(watched, found);
      if (!watched.ready) watched.ready = await isReady(spec.ready, certificateFiles(this.#paths));
      return;
    }
    if (watched.identity) await this.#gone(watched);
    if (Date.now() < watched.notBefore || !(await this.#mayStart(spec))) return;
    watched.busy = true;
    await this.#start(watched).finally(() => (watched.busy = false));
  }

  #met(watched: Watched, found: ProcessIdentity): void {
    if (!watched.identity) this.#account.event(watched.spec.name, `runs already (pid ${found.pid}), taken over`);
    watched.identity = found;
    watched.ready = false;
  }

  async #gone(watched: Watched): Promise<void> {
    const { name } = watched.spec;
    const meant = await wasStopped(this.#paths.run, name, watched.identity!.pid);
    watched.identity = undefined;
    watched.ready = false;
    if (meant) this.#account.event(name, "was stopped, started again");
    else this.#died(watched);
  }

  #died(watched: Watched): void {
    const now = Date.now();
    watched.restarts += 1;
    watched.deaths = [...watched.deaths.filter((at) => now - at < 60_000), now];
    const wait = backOff(watched.deaths.length);
    watched.notBefore = now + wait;
    const again =
      wait === 0
        ? "started again at once"
        : `started again in ${wait / 1000} s (${watched.deaths.length} times in a minute)`;
    this.#account.event(watched.spec.name, `is gone${watched.lastExit ? ` (${watched.lastExit})` : ""}, ${again}`);
  }

  async #mayStart(spec: ProcessSpec): Promise<boolean> {
    if (spec.unless && (await exists(spec.unless))) return false;
    const released = !spec.onlyIf || (await exists(spec.onlyIf));
    if (!released && !(spec.orWhile && (await isNotedAlive(spec.orWhile)))) return false;
    return spec.after.every((name) => this.#watched.get(name)?.ready ?? true);
  }

  async #start(watched: Watched): Promise<void> {
    const { spec } = watched;
    try {
      watched.identity = await startProcess(this.#paths, spec, (how) => (watched.lastExit = how));
      this.#account.event(spec.name, `started (pid ${watched.identity.pid})`);
    } catch (error) {
      watched.deaths.push(Date.now());
      watched.notBefore = Date.now() + backOff(watched.deaths.length + 1);
      this.#account.event(spec.name, `cannot be started: ${errorMessage(error)}`);
    }
  }

  /** The last started first; what a killed one left behind goes too. */
  async #stopAll(): Promise<void> {
    for (const { spec } of [...this.#watched.values()].toReversed()) {
      await stopProcess(this.#paths.run, spec.name, spec.stop);
      if (spec.leaves) await stopLeftover(spec.leaves);
      this.#account.event(spec.name, "stopped");
    }
  }
}

function stateOf(watched: Watched): ServiceState {
  const { spec, identity, ready, restarts, lastExit, notBefore } = watched;
  const down = Date.now() < notBefore ? "waiting" : "stopped";
  return {
    name: spec.name,
    state: identity ? (ready ? "running" : "starting") : down,
    pid: identity?.pid ?? null,
    since: identity?.startedAt ?? null,
    restarts,
    lastExit,
  };
}
