import { readJson, writeAtomic } from "../host/files.ts";
import type { Head } from "./rows.ts";
import type { AccountsState, WebSession } from "./state.ts";

/** What one machine keeps of the accounts: hashes alone, for when the platform database is away, lost or older. */
export interface Snapshot {
  version: 1;
  /** Where the state comes from; null before the platform database was ever seen. */
  head: Head | null;
  state: AccountsState;
  /** Sessions that the platform database does not know yet. */
  unwritten: WebSession[];
}

/** Reads the snapshot; a file that cannot be read counts as none, because the platform database has it all. */
export async function readSnapshot(path: string): Promise<Snapshot | undefined> {
  const snapshot = await readJson<Snapshot>(path).catch(() => undefined);
  return snapshot?.version === 1 ? snapshot : undefined;
}

/** Writes the snapshot, for its owner alone. */
export const writeSnapshot = (path: string, snapshot: Snapshot): Promise<void> =>
  writeAtomic(path, `${JSON.stringify(snapshot)}\n`, 0o600);

/**
 * Whether a database holds less than what was seen before. The same database with a lower revision was restored to an
 * earlier moment; another database was made anew, and what was changed later counts.
 */
export function isOlder(stored: Head, seen: Head | null): boolean {
  if (!seen || seen.revision === 0) return false;
  if (stored.databaseId === seen.databaseId) return stored.revision < seen.revision;
  return stored.revision === 0 || stored.changedAt < seen.changedAt;
}
