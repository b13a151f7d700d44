import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z, ZodError } from "zod";
import { settingsSchema } from "../config/settings.ts";
import { readStorage } from "../config/storage.ts";
import type { HomePaths } from "../cluster/home.ts";
import { AgeError, openWithPassphrase, sealWithPassphrase } from "../core/age.ts";
import { HomelabError } from "../core/errors.ts";
import { uuidv7 } from "../core/ids.ts";
import type { Secret } from "../core/secret.ts";
import { certificateFiles } from "../engines/tls.ts";
import { readJson, readText } from "../host/files.ts";
import { requireInstallation } from "./installation.ts";

/** A file's name within the folder of credentials: nothing that leads out of it. */
const fileName = z.string().regex(/^[A-Za-z0-9_%.~'()*!-]{1,250}\.json$/);

/**
 * Everything that a machine needs, beside a repository, to become this installation again. Roles and their passwords'
 * verifiers, users and keys are in the cluster itself, and come back with it; what stands here is what no backup has.
 */
const kitSchema = z.object({
  kind: z.literal("homelab recovery kit"),
  format: z.literal(1),
  id: z.uuid(),
  made_at: z.iso.datetime(),
  /** The version of homelab that made it. */
  version: z.string(),
  /** Where the installation lived. */
  home: z.string().startsWith("/"),
  cluster: z.object({ system_identifier: z.string().nullable(), major: z.int() }),
  settings: settingsSchema,
  origins: z.record(z.string(), z.string()),
  /** homelab.yaml as it was written, with its comments. */
  settings_file: z.string().nullable(),
  ca: z.object({ certificate: z.string(), key: z.string() }),
  secrets: z.record(z.string(), z.string()),
  /** The places of the backups, with their passphrases and keys. */
  storage: z.unknown(),
  /** The logins of the databases: the cluster has verifiers alone, and no URL can be made of those. */
  credentials: z.record(fileName, z.unknown()),
});

/** The content of a kit. It holds every secret of the installation. */
export type RecoveryKit = z.infer<typeof kitSchema>;

/** Collects what belongs into a kit. @throws HomelabError `not_installed` before the first `up` went through */
export async function collectKit(
  paths: HomePaths,
  { version, now }: { version: string; now: number },
): Promise<RecoveryKit> {
  const { settings, origins } = await requireInstallation(paths);
  const { ca, caKey } = certificateFiles(paths);
  const [mark, certificate, key, secrets, storage] = await Promise.all([
    readJson<RecoveryKit["cluster"]>(paths.bootstrapped),
    readText(ca),
    readText(caKey),
    readJson<Record<string, string>>(paths.secrets),
    readJson(paths.storage),
  ]);
  if (!mark || !certificate || !key || !secrets || !storage)
    throw new HomelabError("not_installed", `${paths.root} was not set up whole yet`, { hint: "homelab up does it." });
  return kitSchema.parse({
    kind: "homelab recovery kit",
    format: 1,
    id: uuidv7(now),
    made_at: new Date(now).toISOString(),
    version,
    home: paths.root,
    cluster: mark,
    settings,
    origins,
    settings_file: (await readText(paths.settings)) ?? null,
    ca: { certificate, key },
    secrets,
    storage,
    credentials: await readAllCredentials(paths),
  });
}

async function readAllCredentials(paths: HomePaths): Promise<Record<string, unknown>> {
  const names = (await readdir(paths.credentials)).filter((name) => name.endsWith(".json")).sort();
  const entries = await Promise.all(names.map(async (name) => [name, await readJson(join(paths.credentials, name))]));
  return Object.fromEntries(entries) as Record<string, unknown>;
}

/** The kit as a file: printable lines in the format of age. */
export const sealKit = (kit: RecoveryKit, passphrase: Secret): Promise<string> =>
  sealWithPassphrase(`${JSON.stringify(kit, null, 1)}\n`, passphrase);

/** Opens a kit's file. @throws HomelabError `kit_unreadable`, `passphrase_wrong` */
export async function openKit(file: Buffer, passphrase: Secret): Promise<RecoveryKit> {
  const text = await openWithPassphrase(file, passphrase).catch((error: unknown) => {
    throw error instanceof AgeError ? explained(error) : error;
  });
  try {
    const kit = kitSchema.parse(JSON.parse(text));
    readStorage(kit.storage);
    return kit;
  } catch (cause) {
    throw notOurs(text, cause);
  }
}

function explained({ reason, message }: AgeError): HomelabError {
  if (reason === "passphrase")
    return new HomelabError("passphrase_wrong", "the passphrase does not open this kit", {
      hint: "It is the one that was shown, or given, when the kit was made. Mind capitals and hyphens.",
    });
  if (reason === "format")
    return new HomelabError("kit_unreadable", `this is no recovery kit: ${message}`, {
      hint: "homelab platform kit makes one.",
    });
  return new HomelabError("kit_unreadable", `the recovery kit is damaged: ${message}`, {
    hint: "Take another copy of it: a part of a kit is of no use.",
  });
}

function notOurs(text: string, cause: unknown): HomelabError {
  const version = /"version": "([\w.-]{1,40})"/.exec(text)?.[1];
  const where = cause instanceof ZodError ? (cause.issues[0]?.path.join(".") ?? "") : "";
  return new HomelabError(
    "kit_unreadable",
    `the kit opens, but this version of homelab does not know what is in it${where ? ` (${where})` : ""}`,
    { hint: version ? `It was made by homelab ${version}: use that version, or a newer one.` : "Take another kit." },
  );
}
