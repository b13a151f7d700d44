import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseDocument } from "yaml";
import { loadConfig, type EffectiveConfig } from "../config/load.ts";
import { HomelabError } from "../core/errors.ts";
import { readText, writeAtomic } from "../host/files.ts";
import type { Context } from "./context.ts";

/** Settings that `up` takes as flags, and keeps. */
export interface SettingFlags {
  portOffset?: number;
  listen?: string;
}

const asSettings = (flags: SettingFlags): Record<string, unknown> => ({
  "network.port_offset": flags.portOffset,
  "network.listen": flags.listen?.includes(".") || flags.listen?.includes(":") ? flags.listen.split(",") : flags.listen,
});

/** The settings file: the one that was named, or the home's own. */
export const settingsFile = ({ flags, paths }: Pick<Context, "flags" | "paths">): string =>
  flags.config ?? process.env["HOMELAB_CONFIG"] ?? paths.settings;

/** Reads homelab.yaml, its overlay, the environment and the flags. @throws HomelabError `configuration_invalid` */
export async function loadSettings(
  context: Pick<Context, "flags" | "paths">,
  flags: SettingFlags = {},
): Promise<EffectiveConfig> {
  const file = settingsFile(context);
  if (context.flags.config && !existsSync(file))
    throw new HomelabError("configuration_invalid", `${file} does not exist`);
  const env = context.flags.env ?? process.env["HOMELAB_ENV"];
  const overlay = env && join(dirname(file), "config", "overlays", `${env}.yaml`);
  if (overlay && !existsSync(overlay))
    throw new HomelabError("configuration_invalid", `${overlay} does not exist`, { hint: "It is where --env looks." });
  const paths = [file, overlay].filter((path) => path !== undefined && path !== "" && existsSync(path)) as string[];
  const files = paths.map((path) => ({ path, text: readFileSync(path, "utf8") }));
  return loadConfig({
    files,
    env: process.env,
    readFile: (path) => readFileSync(path, "utf8"),
    flags: asSettings(flags),
  });
}

/** Writes flags that must hold from now on into the home's own settings file, comments kept. */
export async function rememberFlags(context: Pick<Context, "flags" | "paths">, flags: SettingFlags): Promise<void> {
  const given = Object.entries(asSettings(flags)).filter(([, value]) => value !== undefined);
  const file = context.paths.settings;
  const text = await readText(file);
  const document = parseDocument(text ?? "# Settings of this installation; homelab config schema lists them all.\n");
  for (const [path, value] of given) document.setIn(path.split("."), value);
  if (given.length > 0 || (text === undefined && !context.flags.config))
    await writeAtomic(file, document.toString(), 0o644);
}
