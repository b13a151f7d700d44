import { waitUntil } from "../../core/clock.ts";
import type { RenderedFile } from "../../engines/engine.ts";
import { reloadPatroni } from "../../engines/patroni/client.ts";
import { reloadPools } from "../../engines/pgbouncer/client.ts";
import { nodeFiles } from "../../engines/services.ts";
import { certificateFiles } from "../../engines/tls.ts";
import { isReady } from "../../host/probe.ts";
import { findProcess, stopProcess, type ProcessSpec } from "../../host/processes.ts";
import { hashFiles, markApplied, staleFiles } from "../../host/services.ts";
import type { Site } from "../../site/site.ts";
import { nodeServices } from "../../site/node-services.ts";
import type { Step, StepContext } from "../operation.ts";

/** How a service reads its files again without dropping anybody; the others are restarted. */
const RELOAD: Partial<Record<string, (site: Site) => Promise<unknown>>> = {
  patroni: async ({ topology, secrets }) => reloadPatroni(topology, await secrets()),
  pgbouncer: ({ topology }) => reloadPools(topology, "pgbouncer"),
  "pgbouncer-ro": ({ topology }) => reloadPools(topology, "pgbouncer-ro"),
};

async function stale({ site }: StepContext<unknown>): Promise<{ spec: ProcessSpec; files: string[] }[]> {
  const specs = nodeServices(site);
  const { run } = site.topology.paths;
  // One that does not run reads everything when it starts.
  const look = async (spec: ProcessSpec) => ({
    spec,
    files: (await findProcess(run, spec.name)) ? await staleFiles(run, spec) : [],
  });
  return (await Promise.all(specs.map(look))).filter(({ files }) => files.length > 0);
}

async function apply(
  context: StepContext<unknown>,
  spec: ProcessSpec,
  files: string[],
  rendered: RenderedFile[],
): Promise<void> {
  const { site, signal } = context;
  const { paths } = site.topology;
  const reload = RELOAD[spec.name];
  const restart = !reload || files.some((path) => rendered.find((file) => file.path === path)?.onChange === "restart");
  if (!restart) {
    const hashes = hashFiles(spec.files);
    await reload(site);
    await markApplied(paths.run, spec.name, hashes);
    return;
  }
  await stopProcess(paths.run, spec.name, spec.stop);
  const isBack = async () =>
    (await findProcess(paths.run, spec.name)) !== undefined && isReady(spec.ready, certificateFiles(paths));
  await waitUntil(isBack, { timeout: 60, signal, what: `${spec.name} answers again` });
}

/** Services that still run with files of before read them again. */
export const applyConfiguration: Step<unknown> = {
  name: "apply-configuration",
  plan: () => "reload or restart the services whose files changed",
  check: async (context) => (await stale(context)).length === 0,
  async run(context) {
    const rendered = nodeFiles(context.site.topology, await context.site.secrets(), await context.site.storage());
    const services = await stale(context);
    for (const { spec, files } of services) await apply(context, spec, files, rendered);
    return { says: services.map(({ spec }) => spec.name).join(", ") };
  },
  deadline: 120,
};
