import { errorMessage } from "../core/errors.ts";
import { readFromRepository } from "../engines/pgbackrest/client.ts";
import { readCatalogue, type RepositoryCatalogue } from "../site/backup-catalogue.ts";
import type { Site } from "../site/site.ts";

/** What a kit opens of one repository. */
export interface KitTest {
  repository: string;
  ok: boolean;
  /** The newest backup that is whole, and to when it reaches. */
  label: string | null;
  reaches: string | null;
  says: string;
}

/**
 * Tries a kit on its repositories (faults F64): each is listed, and the list of files of its newest backup is fetched and
 * decrypted. That list holds the key of the files themselves.
 */
export async function testKit(site: Site, signal?: AbortSignal): Promise<KitTest[]> {
  const catalogues = await readCatalogue(site, signal);
  return Promise.all(catalogues.map((catalogue) => tryRepository(site, catalogue, signal)));
}

async function tryRepository(
  { topology }: Site,
  { repository, trouble, coverage }: RepositoryCatalogue,
  signal?: AbortSignal,
): Promise<KitTest> {
  const window = coverage.windows.at(-1);
  const label = window?.labels.at(-1) ?? null;
  const answer = { repository: repository.name, label, reaches: window?.to ?? null };
  if (!label) {
    const [reason] = coverage.unusable.values();
    return { ...answer, ok: false, says: trouble ?? reason ?? "it has no backup yet" };
  }
  try {
    const path = `backup/${topology.scope}/${label}/backup.manifest`;
    const manifest = await readFromRepository(topology, repository.number, path, { signal, timeout: 300 });
    if (!manifest.includes(`"${label}"`))
      return { ...answer, ok: false, says: `the list of files of ${label} is another's` };
    return { ...answer, ok: true, says: `opens ${label}` };
  } catch (error) {
    return { ...answer, ok: false, says: errorMessage(error) };
  }
}
