import { readAgent, startAgent, stopAgent } from "../../host/agent-process.ts";
import { findProcess } from "../../host/processes.ts";
import type { Step } from "../operation.ts";

/** The agent, of this very build, and with somebody who starts it again, systemd or its keeper: it starts the engines and keeps them running. */
export const startAgentStep: Step<unknown> = {
  name: "start-agent",
  plan: () => "start the agent, which keeps the engines running",
  async check({ site }) {
    const { paths } = site.topology;
    const [agent, keeper] = await Promise.all([readAgent(paths), findProcess(paths.run, "keeper")]);
    if (!agent?.alive || agent.state.build !== site.program.build) return false;
    return keeper !== undefined || agent.state.keptBy === "systemd";
  },
  async run({ site }) {
    const { paths } = site.topology;
    // An older one is replaced, and so is one whose keeper died; the engines do not notice.
    if ((await readAgent(paths))?.alive) await stopAgent(paths);
    await startAgent(paths, site.program);
    return { says: "the agent is running" };
  },
  deadline: 40,
};
