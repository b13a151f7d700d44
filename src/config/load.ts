import { basename } from "node:path";
import { LineCounter, parse, parseDocument } from "yaml";
import { errorMessage, HomelabError } from "../core/errors.ts";
import { interpolateAll, type Lookup } from "./interpolate.ts";
import { flatten, isMap, mergeLayers, type Layer, type Origins } from "./layers.ts";
import type { Settings } from "./settings.ts";
import { validate, type Source } from "./validate.ts";

/** Names under HOMELAB_ that are not settings. */
const NOT_SETTINGS = new Set(["HOME", "ENV", "CONFIG", "URL", "API_KEY", "CRASH_AT", "ADMIN_PASSWORD_FILE"]);

/** What the settings are made of; files are given as text, so that this folder does no I/O of its own. */
export interface ConfigInput extends Lookup {
  /** homelab.yaml, then its overlay, where they exist. */
  files: { path: string; text: string }[];
  /** `network.port_offset` → value, from the command line. */
  flags: Record<string, unknown>;
}

/** The settings in force, and the origin of each. */
export interface EffectiveConfig {
  settings: Settings;
  origins: Origins;
}

/**
 * Default < file < overlay < environment < flag.
 * @throws HomelabError `configuration_invalid`
 */
export function loadConfig(input: ConfigInput): EffectiveConfig {
  const sources = input.files.map(({ path, text }) => parseSource(path, text));
  const layers: Layer[] = [
    ...sources.map((source) => ({ origin: source.name, values: sourceValues(source, input) })),
    { origin: "environment", values: environmentValues(input.env) },
    { origin: "flag", values: nest(Object.entries(input.flags).filter(([, value]) => value !== undefined)) },
  ];
  const { values, origins } = mergeLayers(layers);
  const settings = validate(values, sources);
  for (const [path] of flatten(settings)) origins[path] ??= "default";
  return { settings, origins };
}

function parseSource(path: string, text: string): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const name = basename(path);
  const first = document.errors[0];
  if (first) {
    const { line, col } = lines.linePos(first.pos[0]);
    throw new HomelabError("configuration_invalid", `${name}:${line}:${col} ${first.message.split("\n")[0]}`);
  }
  return { name, document, lines };
}

function sourceValues(source: Source, lookup: Lookup): Record<string, unknown> {
  const values = readYaml(source.name, () => source.document.toJS() as unknown) ?? {};
  if (typeof values !== "object" || Array.isArray(values)) {
    throw new HomelabError("configuration_invalid", `${source.name}: expected settings such as "name: homelab"`);
  }
  return interpolateAll(values, lookup) as Record<string, unknown>;
}

/** HOMELAB_NETWORK__PORT_OFFSET=1000 is network.port_offset: two underscores are a level, values are read as YAML. */
function environmentValues(env: Record<string, string | undefined>): Record<string, unknown> {
  return nest(
    Object.entries(env)
      .filter(([name, value]) => name.startsWith("HOMELAB_") && value !== undefined && !NOT_SETTINGS.has(name.slice(8)))
      .map(([name, value]) => [
        name.slice(8).toLowerCase().split("__").join("."),
        readYaml(name, () => parse(value!) as unknown),
      ]),
  );
}

/** YAML that parses can still fail here: an alias that is unknown, or that repeats itself without end. */
function readYaml(name: string, read: () => unknown): unknown {
  try {
    return read();
  } catch (cause) {
    throw new HomelabError("configuration_invalid", `${name}: ${errorMessage(cause).split("\n")[0]}`, { cause });
  }
}

function nest(entries: [string, unknown][]): Record<string, unknown> {
  // Maps without prototype: HOMELAB_CONSTRUCTOR__PROTOTYPE__X is an unknown setting, and reaches nothing else.
  const map = () => Object.create(null) as Record<string, unknown>;
  const root = map();
  for (const [path, value] of entries) {
    const keys = path.split(".");
    let at = root;
    for (const key of keys.slice(0, -1)) {
      if (!isMap(at[key])) at[key] = map();
      at = at[key] as Record<string, unknown>;
    }
    at[keys.at(-1)!] = value;
  }
  return root;
}
