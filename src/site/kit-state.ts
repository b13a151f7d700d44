import { createHash } from "node:crypto";
import { join } from "node:path";
import type { HomePaths } from "../cluster/home.ts";
import { stableStringify, type Json } from "../core/json.ts";
import { readJson, writeAtomic } from "../host/files.ts";
import { collectKit, type RecoveryKit } from "./recovery-kit.ts";

/** What is noted of the last kit: which it was, what was in it as hashes, and when it was last tried. */
interface KitNote {
  id: string;
  made_at: string;
  parts: Record<Part, string>;
  /** For each database that the kit has the logins of. */
  credentials: Record<string, string>;
  tested_at: string | null;
}

/** Without these, a kit does not bring the installation back as it is. */
type Part = "settings" | "ca" | "secrets" | "storage";

const PARTS: Record<Part, string> = {
  settings: "the settings have changed",
  ca: "the CA is another one",
  secrets: "the platform's secrets have changed",
  storage: "the repositories have changed",
};

/** How it stands with the last kit that was made here. */
export interface KitStatus {
  made_at: string | null;
  /** When the kit was last opened, and a backup with it. */
  tested_at: string | null;
  outdated: boolean;
  /** Why another one should be made; null when the last one is as good. */
  reason: string | null;
}

const notePath = (paths: HomePaths): string => join(paths.state, "kit.json");

const hash = (value: unknown): string =>
  createHash("sha256")
    .update(stableStringify(value as Json))
    .digest("base64url");

const noteOf = (kit: RecoveryKit): KitNote => ({
  id: kit.id,
  made_at: kit.made_at,
  parts: { settings: hash(kit.settings), ca: hash(kit.ca), secrets: hash(kit.secrets), storage: hash(kit.storage) },
  credentials: Object.fromEntries(Object.entries(kit.credentials).map(([name, value]) => [name, hash(value)])),
  tested_at: null,
});

/** Notes that a kit was made. */
export const noteKit = (paths: HomePaths, kit: RecoveryKit): Promise<void> =>
  writeAtomic(notePath(paths), `${JSON.stringify(noteOf(kit), null, 1)}\n`);

/** Notes that a kit was tried and is good; nothing is noted of a kit that is not the last one of this home. */
export async function noteTest(paths: HomePaths, { id }: Pick<RecoveryKit, "id">, now: number): Promise<boolean> {
  const note = await readJson<KitNote>(notePath(paths));
  if (note?.id !== id) return false;
  await writeAtomic(
    notePath(paths),
    `${JSON.stringify({ ...note, tested_at: new Date(now).toISOString() }, null, 1)}\n`,
  );
  return true;
}

/** Compares the last kit with what one would hold that was made now. */
export async function kitStatus(paths: HomePaths): Promise<KitStatus> {
  const note = await readJson<KitNote>(notePath(paths));
  if (!note) return { made_at: null, tested_at: null, outdated: true, reason: "there is no recovery kit yet" };
  const reason = changeSince(note, noteOf(await collectKit(paths, { version: "", now: 0 })));
  return { made_at: note.made_at, tested_at: note.tested_at, outdated: reason !== null, reason };
}

function changeSince(before: KitNote, now: KitNote): string | null {
  const part = (Object.keys(PARTS) as Part[]).find((name) => before.parts[name] !== now.parts[name]);
  if (part) return `${PARTS[part]} since the recovery kit was made`;
  const names = Object.keys(now.credentials).filter((name) => before.credentials[name] !== now.credentials[name]);
  if (names.length === 0) return null;
  const first = decodeURIComponent(names[0]!.replace(/\.json$/, ""));
  const more = names.length > 1 ? ` and ${names.length - 1} more` : "";
  return `the recovery kit does not know the password of ${first}${more}`;
}
