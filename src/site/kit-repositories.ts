import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { completeSecrets, secretsText } from "../config/secrets.ts";
import { readStorage, storageText, type Storage } from "../config/storage.ts";
import { homeFolders } from "../cluster/home.ts";
import type { MachineFacts } from "../cluster/topology.ts";
import { renderPgbackrest } from "../engines/pgbackrest/config.ts";
import { ensureFolder, exists, remove, writeAtomic } from "../host/files.ts";
import { openSite } from "./installation.ts";
import type { RecoveryKit } from "./recovery-kit.ts";
import type { Site } from "./site.ts";

/** Nothing is run from there. */
const NO_PROGRAM = { build: "", folder: "", node: "" };

/**
 * Reads a kit's repositories by what the kit alone says, in a folder of its own that goes again: nothing of an
 * installation is asked or touched, so what works here works on another machine.
 */
export async function withKitRepositories<T>(
  kit: RecoveryKit,
  { machine, storage }: { machine: MachineFacts; storage: Storage },
  work: (site: Site) => Promise<T>,
): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), "homelab-kit-"));
  const site = openSite(root, { settings: kit.settings, origins: {}, machine }, NO_PROGRAM);
  const { paths } = site.topology;
  try {
    for (const { path, mode } of homeFolders(paths)) await ensureFolder(path, path === root ? 0o700 : mode);
    const { secrets } = completeSecrets(kit.secrets, {});
    await writeAtomic(paths.secrets, secretsText(secrets));
    await writeAtomic(paths.storage, storageText(storage));
    for (const file of renderPgbackrest(site.topology, storage, secrets))
      await writeAtomic(file.path, file.content, file.mode);
    return await work(site);
  } finally {
    await site.close();
    await remove(root);
  }
}

/** Where repositories on disks are on this machine. */
export interface Whereabouts {
  /** The folder of the first of them, where a person named it: the disk may be mounted elsewhere now. */
  repositoryPath?: string | undefined;
  /** The home that is being made; what was below the old home is below it, unless it still is where it was. */
  root: string;
}

/** The kit's repositories, as they are reached from here. */
export async function storageFromKit(kit: RecoveryKit, { repositoryPath, root }: Whereabouts): Promise<Storage> {
  const storage = readStorage(kit.storage);
  const named = repositoryPath ? storage.repositories.find(({ type }) => type === "disk") : undefined;
  const placed = storage.repositories.map(async (each) => {
    if (each.type !== "disk") return each;
    if (each === named) return { ...each, path: repositoryPath! };
    const isMoved = each.path.startsWith(`${kit.home}/`) && !(await exists(each.path));
    return isMoved ? { ...each, path: join(root, each.path.slice(kit.home.length)) } : each;
  });
  return { repositories: await Promise.all(placed) };
}
