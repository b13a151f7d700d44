import { randomBytes } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { HomePaths } from "../cluster/home.ts";
import { Secret } from "../core/secret.ts";
import { readJson, remove, writeAtomic } from "../host/files.ts";

/** The way into an S3-compatible server. */
export interface StorageKeys {
  key: string;
  secret: Secret;
}

const PREFIX = "storage-keys-";

/** What an operation's input says instead of the keys, which would stay in the journal for good. */
export const keysReference = /^[a-f0-9]{32}$/;

const pathOf = ({ state }: Pick<HomePaths, "state">, reference: string): string =>
  join(state, `${PREFIX}${reference}.json`);

/** Milliseconds after which nobody waits for keys any more. */
const FORGOTTEN = 24 * 3_600_000;

/** Keeps keys in a closed file until the operation that needs them has put them where they belong; answers its reference. */
export async function keepKeys(paths: HomePaths, { key, secret }: StorageKeys): Promise<string> {
  for (const name of await readdir(paths.state)) {
    const at = name.startsWith(PREFIX) ? await stat(join(paths.state, name)).catch(() => undefined) : undefined;
    if (at && Date.now() - at.mtimeMs > FORGOTTEN) await remove(join(paths.state, name));
  }
  const reference = randomBytes(16).toString("hex");
  await writeAtomic(pathOf(paths, reference), `${JSON.stringify({ key, secret: secret.reveal() })}\n`);
  return reference;
}

/** The keys that were kept; undefined once they were forgotten. */
export async function readKeys(paths: HomePaths, reference: string): Promise<StorageKeys | undefined> {
  const stored = await readJson<{ key: string; secret: string }>(pathOf(paths, reference));
  return stored && { key: stored.key, secret: new Secret(stored.secret) };
}

export const forgetKeys = (paths: HomePaths, reference: string): Promise<void> => remove(pathOf(paths, reference));
