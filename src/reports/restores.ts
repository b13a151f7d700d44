import { listDatabases, type DatabaseRow } from "../engines/postgres/databases.ts";
import type { Site } from "../site/site.ts";
import { readSamples, type Samples } from "./samples.ts";

/** A database that a restore left beside another one: what the API answers. */
export interface RestoredDatabase {
  name: string;
  /** The database beside which it stands. */
  of: string;
  /** `restored`: it can take the other's place. `replaced`: it had that place, and is kept closed. */
  state: "restored" | "replaced";
  at: string;
  /** For `restored`: of which moment it is, where that is known, and from which backup. */
  as_of: string | null;
  backup: string | null;
  /** For `replaced`: when it is dropped. */
  until: string | null;
  size_bytes: number | null;
}

function restored({ name, oid, anchor }: DatabaseRow, samples: Samples | undefined): RestoredDatabase[] {
  const size_bytes = samples?.sizes[oid] ?? null;
  if (anchor?.restored) {
    const { of, at, asOf, backup } = anchor.restored;
    return [{ name, of, state: "restored", at, as_of: asOf, backup, until: null, size_bytes }];
  }
  if (!anchor?.replaced) return [];
  const { of, at, until } = anchor.replaced;
  return [{ name, of, state: "replaced", at, as_of: null, backup: null, until, size_bytes }];
}

/** What restores left beside their databases, the newest first. */
export async function restoreList(site: Site): Promise<RestoredDatabase[]> {
  const session = await (await site.postgres()).monitor();
  const [rows, samples] = await Promise.all([listDatabases(session), readSamples(site.topology.paths)]);
  return rows.flatMap((row) => restored(row, samples)).sort((a, b) => b.at.localeCompare(a.at));
}
