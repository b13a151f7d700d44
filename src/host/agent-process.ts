import { join } from "node:path";
import type { HomePaths } from "../cluster/home.ts";
import { waitUntil } from "../core/clock.ts";
import { readJson } from "./files.ts";
import { findProcess, isAlive, signalProcess, startProcess, type ProcessIdentity } from "./processes.ts";
import type { Program } from "./program.ts";
import { cleanEnvironment } from "./run.ts";

/** What the agent says of a service. */
export interface ServiceState {
  name: string;
  state: "running" | "starting" | "waiting" | "stopped";
  pid: number | null;
  since: string | null;
  /** How often it died and was started again, since the agent began. */
  restarts: number;
  lastExit: string | null;
}

/** Something that the agent did or saw; the newest are kept in its state. */
export interface AgentEvent {
  at: string;
  service: string;
  says: string;
}

/** The agent's own account, rewritten whenever something changes. */
export interface AgentState {
  identity: ProcessIdentity;
  build: string;
  /** Who starts it again when it dies. */
  keptBy: "systemd" | "keeper";
  services: ServiceState[];
  events: AgentEvent[];
}

/** The agent's last account, and whether it is alive to stand by it. */
export async function readAgent(paths: HomePaths): Promise<{ state: AgentState; alive: boolean } | undefined> {
  const state = await readJson<AgentState>(paths.agentState).catch(() => undefined);
  return state && { state, alive: isAlive(state.identity) };
}

/**
 * Starts the agent under its keeper, a few lines of shell that start it again should it die: there may be no systemd.
 * Answers once the agent has given its first account.
 */
export async function startAgent(paths: HomePaths, program: Program): Promise<void> {
  const agent = [
    program.node,
    "--disable-warning=ExperimentalWarning",
    "--max-semi-space-size=1",
    join(program.folder, "agent.js"),
  ];
  const argv: [string, ...string[]] = ["/bin/sh", join(program.folder, "keeper.sh"), ...agent, "--home", paths.root];
  if (!(await findProcess(paths.run, "keeper"))) {
    await startProcess(paths, { name: "keeper", argv, env: cleanEnvironment(), files: [] });
  }
  await waitUntil(async () => (await readAgent(paths))?.alive, { timeout: 20, what: "the agent is running" });
}

/** Ends keeper and agent and leaves every engine running. */
export async function stopAgent(paths: HomePaths): Promise<void> {
  await signalProcess(paths.run, "keeper", "SIGKILL");
  const agent = await readAgent(paths);
  if (!agent?.alive) return;
  process.kill(agent.state.identity.pid, "SIGTERM");
  await waitUntil(async () => !isAlive(agent.state.identity), { timeout: 20, what: "the agent has ended" });
}
