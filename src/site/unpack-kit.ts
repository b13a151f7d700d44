import { join } from "node:path";
import { carrySettings } from "../config/carried-settings.ts";
import { completeSecrets, secretsText } from "../config/secrets.ts";
import { storageText, type Storage } from "../config/storage.ts";
import { homeFolders, type HomePaths } from "../cluster/home.ts";
import { certificateFiles } from "../engines/tls.ts";
import { ensureFolder, exists, writeAtomic } from "../host/files.ts";
import { noteRecovery } from "./recovery-note.ts";
import type { RecoveryKit } from "./recovery-kit.ts";

/**
 * Puts what is in a kit to where an installation has it. The note is first: from then on `up` makes nothing new here.
 * Safe to repeat; where the cluster is up again, what its owner changed since stays.
 */
export async function unpackKit(paths: HomePaths, kit: RecoveryKit, storage: Storage): Promise<void> {
  if (await exists(paths.bootstrapped)) return;
  for (const { path, mode } of homeFolders(paths)) await ensureFolder(path, mode);
  const begun_at = new Date().toISOString();
  await noteRecovery(paths, { kit_id: kit.id, kit_made_at: kit.made_at, begun_at, from_home: kit.home });
  const { ca, caKey } = certificateFiles(paths);
  await writeAtomic(caKey, kit.ca.key);
  // As in every installation, apps read it to verify the server.
  await writeAtomic(ca, kit.ca.certificate, 0o644);
  await writeAtomic(paths.secrets, secretsText(completeSecrets(kit.secrets, {}).secrets));
  await writeAtomic(paths.storage, storageText(storage));
  for (const [name, credentials] of Object.entries(kit.credentials))
    await writeAtomic(join(paths.credentials, name), `${JSON.stringify(credentials, null, 2)}\n`);
  await writeSettings(paths, kit);
}

/** homelab.yaml can be read by everybody: a secret setting goes into a file of its own, which it names. */
async function writeSettings(paths: HomePaths, kit: RecoveryKit): Promise<void> {
  const placeOf = (name: string) => join(paths.state, `setting-${name}`);
  const carried = carrySettings(kit.settings_file, kit, placeOf);
  for (const [name, value] of carried.secrets) await writeAtomic(placeOf(name), value);
  await writeAtomic(paths.settings, carried.text, 0o644);
}
