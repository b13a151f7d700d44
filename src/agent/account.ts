import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { HomePaths } from "../cluster/home.ts";
import { stableStringify, type Json } from "../core/json.ts";
import { logLine, type LogLevel } from "../core/log.ts";
import type { AgentEvent, AgentState, ServiceState } from "../host/agent-process.ts";
import { writeAtomic } from "../host/files.ts";
import type { ProcessIdentity } from "../host/processes.ts";

const KEPT_EVENTS = 50;

/** What the agent says of itself: a log line for each event, and a state file that is rewritten when something changed. */
export class Account {
  readonly #paths: HomePaths;
  readonly #state: AgentState;
  #written = "";

  constructor(paths: HomePaths, identity: ProcessIdentity, build: string) {
    this.#paths = paths;
    // systemd gives every invocation of a unit an id (systemd.exec(5)); our own keeper hands no environment on.
    const keptBy = process.env["INVOCATION_ID"] ? "systemd" : "keeper";
    this.#state = { identity, build, keptBy, services: [], events: [] };
  }

  event(service: string, says: string, level: LogLevel = "info"): void {
    const event: AgentEvent = { at: new Date().toISOString(), service, says };
    this.#state.events = [...this.#state.events, event].slice(-KEPT_EVENTS);
    this.#log(logLine(level, service, says));
  }

  /** Into a file of our own, whoever started us; before there is a folder for it, to where they listen. */
  #log(line: string): void {
    try {
      appendFileSync(join(this.#paths.logs, "agent.log"), line, { mode: 0o600 });
    } catch {
      process.stdout.write(line);
    }
  }

  services(services: ServiceState[]): void {
    this.#state.services = services;
  }

  /** Writes the state file if anything in it is new. */
  async save(): Promise<void> {
    const text = stableStringify(this.#state as unknown as Json);
    if (text === this.#written) return;
    await writeAtomic(this.#paths.agentState, text);
    this.#written = text;
  }
}
