import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { storageText, type Storage } from "../../config/storage.ts";
import type { RenderedFile } from "../../engines/engine.ts";
import { isOfRepository, renderPgbackrest } from "../../engines/pgbackrest/config.ts";
import { modeOf, readText, remove, writeAtomic } from "../../host/files.ts";
import type { Site } from "../../site/site.ts";

/** What has to change of what pgBackRest reads. */
async function differing(site: Site): Promise<{ write: RenderedFile[]; remove: string[] }> {
  const { etc } = site.topology.paths;
  const files = renderPgbackrest(site.topology, await site.storage(), await site.secrets());
  const same = await Promise.all(
    files.map(async ({ path, content, mode }) => (await readText(path)) === content && (await modeOf(path)) === mode),
  );
  const there = (await readdir(etc)).filter(isOfRepository).map((name) => join(etc, name));
  return {
    write: files.filter((_, i) => !same[i]),
    remove: there.filter((path) => !files.some((file) => file.path === path)),
  };
}

/** Whether pgBackRest reads what the storage file says. */
export async function isInUse(site: Site): Promise<boolean> {
  const { write, remove: stale } = await differing(site);
  return write.length === 0 && stale.length === 0;
}

/**
 * Writes the storage file, and then what pgBackRest reads. Each archive_command reads it anew: nothing is reloaded, and
 * nobody waits.
 */
export async function useStorage(site: Site, storage: Storage): Promise<void> {
  await writeAtomic(site.topology.paths.storage, storageText(storage));
  const { write, remove: stale } = await differing(site);
  for (const { path, content, mode } of write) await writeAtomic(path, content, mode);
  for (const path of stale) await remove(path);
}
