import { join } from "node:path";
import type { HomePaths } from "../cluster/home.ts";
import type { Repository } from "../config/storage.ts";
import { readJson, writeAtomic } from "../host/files.ts";

/** Segments by the name of their repository. */
type Known = Record<string, string[]>;

const pathOf = (paths: Pick<HomePaths, "state">): string => join(paths.state, "corrupt-wal.json");

/**
 * Archived segments that a check found corrupt. A listing does not show it, and there is no place beside a segment to note
 * it: this is the one thing about a repository that is kept outside of it. The next check finds it again.
 */
export async function corruptWal(
  paths: Pick<HomePaths, "state">,
  { name }: Pick<Repository, "name">,
): Promise<Set<string>> {
  return new Set((await readJson<Known>(pathOf(paths)).catch(() => undefined))?.[name] ?? []);
}

/** Notes what a check found in one repository, in place of what it found before. */
export async function noteCorruptWal(
  paths: Pick<HomePaths, "state">,
  { name }: Pick<Repository, "name">,
  segments: string[],
): Promise<void> {
  const known = (await readJson<Known>(pathOf(paths)).catch(() => undefined)) ?? {};
  const { [name]: _before, ...others } = known;
  if (segments.length === 0 && known[name] === undefined) return;
  await writeAtomic(pathOf(paths), JSON.stringify(segments.length > 0 ? { ...others, [name]: segments } : others));
}
