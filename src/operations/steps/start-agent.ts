import { readAgent, startAgent, stopAgent } from "../../host/agent-process.ts";
import type { Step } from "../operation.ts";

/** The agent, of this very build: it starts the engines and keeps them running. */
export const startAgentStep: Step<unknown> = {
  name: "start-agent",
  plan: () => "start the agent, which keeps the engines running",
  async check({ site }) {
    const agent = await readAgent(site.topology.paths);
    return agent?.alive === true && agent.state.build === site.program.build;
  },
  async run({ site }) {
    const { paths } = site.topology;
    // An older one is replaced; the engines do not notice.
    if ((await readAgent(paths))?.alive) await stopAgent(paths);
    await startAgent(paths, site.program);
    return { says: "the agent is running" };
  },
  deadline: 40,
};
