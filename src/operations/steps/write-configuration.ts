import type { RenderedFile } from "../../engines/engine.ts";
import { nodeFiles } from "../../engines/services.ts";
import { modeOf, readText, writeAtomic } from "../../host/files.ts";
import { readDesired, writeDesired } from "../../host/services.ts";
import { nodeServices } from "../../site/node-services.ts";
import type { Step, StepContext } from "../operation.ts";

async function differing({ site }: StepContext<unknown>): Promise<RenderedFile[]> {
  const files = nodeFiles(site.topology, await site.secrets(), await site.storage());
  const same = await Promise.all(
    files.map(async (file) => (await readText(file.path)) === file.content && (await modeOf(file.path)) === file.mode),
  );
  return files.filter((_, i) => !same[i]);
}

async function servicesDiffer({ site }: StepContext<unknown>): Promise<boolean> {
  const desired = await readDesired(site.topology.paths);
  return JSON.stringify(desired) !== JSON.stringify({ services: nodeServices(site), up: true });
}

/** What every engine reads, and what the agent should have running. */
export const writeConfiguration: Step<unknown> = {
  name: "write-configuration",
  plan: ({ site }) => `write the engines' configuration under ${site.topology.paths.etc}`,
  check: async (context) => (await differing(context)).length === 0 && !(await servicesDiffer(context)),
  async run(context) {
    const { topology } = context.site;
    const files = await differing(context);
    for (const file of files) await writeAtomic(file.path, file.content, file.mode);
    await writeDesired(topology.paths, { services: nodeServices(context.site), up: true });
    return { says: files.length > 0 ? `${files.length} ${files.length === 1 ? "file" : "files"}` : "what is to run" };
  },
  deadline: 10,
};
