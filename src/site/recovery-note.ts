import { join } from "node:path";
import type { HomePaths } from "../cluster/home.ts";
import { HomelabError } from "../core/errors.ts";
import { exists, readJson, writeAtomic } from "../host/files.ts";

/** What is noted when a recovery is begun in a home: a half recovered home is neither new nor set up. */
export interface RecoveryNote {
  kit_id: string;
  kit_made_at: string;
  begun_at: string;
  /** Where the installation lived that is recovered. */
  from_home: string;
}

const notePath = (paths: HomePaths): string => join(paths.state, "recovery.json");

export const readRecovery = (paths: HomePaths): Promise<RecoveryNote | undefined> =>
  readJson<RecoveryNote>(notePath(paths));

export const noteRecovery = (paths: HomePaths, note: RecoveryNote): Promise<void> =>
  writeAtomic(notePath(paths), `${JSON.stringify(note, null, 1)}\n`);

/**
 * A home with the secrets of a lost installation must not get a cluster of its own: it would archive into the other's
 * repository. @throws HomelabError `restore_refused`
 */
export async function refuseHalfRecovered(paths: HomePaths): Promise<void> {
  const note = (await exists(paths.bootstrapped)) ? undefined : await readRecovery(paths);
  if (!note) return;
  throw new HomelabError("restore_refused", `a recovery was begun under ${paths.root} and has not ended`, {
    hint: "homelab up --recover KIT goes on with it. To give it up, homelab down, and remove the home.",
  });
}
