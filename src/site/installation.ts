import { stat } from "node:fs/promises";
import { join } from "node:path";
import { completeSecrets, type Secrets } from "../config/secrets.ts";
import { readStorage, type Storage } from "../config/storage.ts";
import type { Origins } from "../config/layers.ts";
import type { Settings } from "../config/settings.ts";
import { homePaths, type HomePaths } from "../cluster/home.ts";
import { oneNodeTopology, type MachineFacts } from "../cluster/topology.ts";
import { systemClock } from "../core/clock.ts";
import { HomelabError } from "../core/errors.ts";
import { PostgresSessions } from "../engines/postgres/sessions.ts";
import { readJson, writeAtomic } from "../host/files.ts";
import type { Program } from "../host/program.ts";
import type { Site } from "./site.ts";

/** The settings and the machine as the last `up` found them: what every command and the agent go by. */
export interface Installation {
  settings: Settings;
  origins: Origins;
  machine: MachineFacts;
}

/** Where the settings and the machine are kept as the last `up` found them. */
export const installationPath = (paths: HomePaths): string => join(paths.state, "installation.json");

export const readInstallation = (paths: HomePaths): Promise<Installation | undefined> =>
  readJson<Installation>(installationPath(paths));

/** Changes whenever an `up` wrote the installation again; 0 when there is none. */
export const installationStamp = (paths: HomePaths): Promise<number> =>
  stat(installationPath(paths)).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );

export const writeInstallation = (paths: HomePaths, installation: Installation): Promise<void> =>
  writeAtomic(installationPath(paths), `${JSON.stringify(installation, null, 1)}\n`);

/** @throws HomelabError `not_installed` when there is nothing under this home. */
export async function requireInstallation(paths: HomePaths): Promise<Installation> {
  const installation = await readInstallation(paths).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EACCES") throw error;
    throw new HomelabError("not_allowed", `${paths.root} belongs to another user`, {
      hint: "Use sudo, or name your own installation with --home.",
    });
  });
  if (installation) return installation;
  throw new HomelabError("not_installed", `there is no installation under ${paths.root}`, {
    hint: "homelab up makes one; --home names another.",
  });
}

/** The secrets of an installation. @throws HomelabError `not_installed` before they were made. */
async function readSecrets(paths: HomePaths): Promise<Secrets> {
  const stored = await readJson<Record<string, string>>(paths.secrets);
  if (!stored)
    throw new HomelabError("not_installed", "the installation has no secrets yet", { hint: "homelab up makes them." });
  return completeSecrets(stored, {}).secrets;
}

/** The repositories of an installation. @throws HomelabError `not_installed` before they were made */
async function readPlaces(paths: HomePaths): Promise<Storage> {
  const stored = await readJson(paths.storage);
  if (stored) return readStorage(stored);
  throw new HomelabError("not_installed", "the installation has no repository yet", { hint: "homelab up makes it." });
}

/** Puts a site together from an installation. */
export function openSite(root: string, installation: Installation, program: Program, env: Site["env"] = {}): Site {
  const topology = oneNodeTopology(root, installation.settings, installation.machine);
  // A promise, so that two who ask at once share one: what nobody knows of is never ended.
  let sessions: Promise<PostgresSessions> | undefined;
  const secrets = () => readSecrets(topology.paths);
  const open = async () => {
    try {
      return new PostgresSessions(topology, await secrets());
    } catch (error) {
      sessions = undefined;
      throw error;
    }
  };
  return {
    topology,
    secrets,
    storage: () => readPlaces(topology.paths),
    postgres: () => (sessions ??= open()),
    clock: systemClock,
    program,
    env,
    close: async () => {
      await (await sessions?.catch(() => undefined))?.end();
    },
  };
}

/** Opens the site of an installed home. */
export async function openInstalledSite(root: string, program: Program): Promise<Site> {
  return openSite(root, await requireInstallation(homePaths(root)), program);
}
