import { localStorage, storageText } from "../../config/storage.ts";
import { exists, writeAtomic } from "../../host/files.ts";
import type { Step } from "../operation.ts";

/** The first repository, with a passphrase of its own. Without that passphrase no backup can be read. */
export const makeStorage: Step<unknown> = {
  name: "make-storage",
  plan: ({ site }) => `choose a repository for backups: ${placeOf(site.topology)}`,
  check: ({ site }) => exists(site.topology.paths.storage),
  async run({ site }) {
    const { paths, settings } = site.topology;
    const path = placeOf(site.topology);
    await writeAtomic(paths.storage, storageText(localStorage(path, settings.backup.encrypt)));
    return { says: `backups are kept in ${path}` };
  },
  deadline: 10,
};

const placeOf = ({ paths, settings }: { paths: { backups: string }; settings: { backup: { path: string } } }): string =>
  settings.backup.path || paths.backups;
