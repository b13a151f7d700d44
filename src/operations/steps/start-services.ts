import { waitUntil } from "../../core/clock.ts";
import { lastLogLine } from "../../engines/logs.ts";
import { isPrimary } from "../../engines/patroni/client.ts";
import { nodeServices } from "../../site/node-services.ts";
import { certificateFiles } from "../../engines/tls.ts";
import { readAgent, startAgent } from "../../host/agent-process.ts";
import { isReady } from "../../host/probe.ts";
import { findProcess, type ProcessSpec } from "../../host/processes.ts";
import type { Step, StepContext } from "../operation.ts";

async function isUp({ site }: StepContext<unknown>, spec: ProcessSpec): Promise<boolean> {
  const { paths } = site.topology;
  if ((await findProcess(paths.run, spec.name)) === undefined) return false;
  if (!(await isReady(spec.ready, certificateFiles(paths)))) return false;
  // After a crash PostgreSQL answers as a standby first: what follows here wants to write.
  return spec.name !== "patroni" || isPrimary(site.topology);
}

/** Waits until the agent has started these services and each really answers. */
function startServices(name: string, names: string[] | undefined, deadline: number): Step<unknown> {
  const specs = (context: StepContext<unknown>) =>
    nodeServices(context.site).filter((spec) => names?.includes(spec.name) ?? true);
  return {
    name,
    plan: (context) =>
      `start ${specs(context)
        .map((spec) => spec.name)
        .join(", ")}`,
    check: async (context) => (await Promise.all(specs(context).map((spec) => isUp(context, spec)))).every(Boolean),
    async run(context) {
      const { signal, site } = context;
      // After a power cut behind the barrier, a run goes on from here, and nobody else would start the agent.
      if (!(await readAgent(site.topology.paths))?.alive) await startAgent(site.topology.paths, site.program);
      const wait = (spec: ProcessSpec) =>
        waitUntil(() => isUp(context, spec), {
          timeout: deadline - 5,
          every: 30,
          signal,
          what: `${spec.name} answers`,
          why: () => lastLogLine(site.topology.paths, spec.name),
        });
      await Promise.all(specs(context).map(wait));
      return {
        says: specs(context)
          .map((spec) => spec.name)
          .join(", "),
      };
    },
    deadline,
  };
}

/** etcd first: Patroni asks it who leads. */
export const startEtcd = startServices("start-etcd", ["etcd"], 40);

/** Everything. PostgreSQL may have to recover first: that takes what it takes, and the log tells. */
export const startAllServices = startServices("start-services", undefined, 600);
