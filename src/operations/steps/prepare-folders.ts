import { homeFolders } from "../../cluster/home.ts";
import { ensureFolder, modeOf } from "../../host/files.ts";
import type { Step } from "../operation.ts";

/** The folders of the installation, closed to others. */
export const prepareFolders: Step<unknown> = {
  name: "prepare-folders",
  plan: ({ site }) => `make the folders under ${site.topology.paths.root}`,
  async check({ site }) {
    const modes = await Promise.all(
      homeFolders(site.topology.paths).map(async ({ path, mode }) => (await modeOf(path)) === mode),
    );
    return modes.every(Boolean);
  },
  async run({ site }) {
    const folders = homeFolders(site.topology.paths);
    for (const { path, mode } of folders) await ensureFolder(path, mode);
    return { says: `${folders.length} folders under ${site.topology.paths.root}` };
  },
  deadline: 10,
};
