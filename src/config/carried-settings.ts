import { isDeepStrictEqual } from "node:util";
import { isCollection, parseDocument } from "yaml";
import { REDACTED } from "../core/secret.ts";
import { isMap, type Origins } from "./layers.ts";
import type { Settings } from "./settings.ts";
import { shownSettings } from "./shown-settings.ts";

/** Settings as they are written on another machine. */
export interface CarriedSettings {
  /** homelab.yaml, with its comments. */
  text: string;
  /** Secrets among them: homelab.yaml can be read by everybody, and names these files. By the setting's path. */
  secrets: Map<string, string>;
}

type Leaf = [path: string[], value: unknown];

const leavesOf = (value: Record<string, unknown>, path: string[] = []): Leaf[] =>
  Object.entries(value).flatMap(([key, item]): Leaf[] =>
    isMap(item) && Object.keys(item).length > 0 ? leavesOf(item, [...path, key]) : [[[...path, key], item]],
  );

/**
 * Writes down what was in force, for a machine that has neither the variables nor the files that some of it came from.
 * What the file says in so many words already stays as it is. `placeOf` tells where the file of a secret will be.
 */
export function carrySettings(
  file: string | null,
  { settings, origins }: { settings: Settings; origins: Origins },
  placeOf: (path: string) => string,
): CarriedSettings {
  const before = file ?? "# Settings of this installation; homelab config schema lists them all.\n";
  const document = parseDocument(before);
  let isChanged = false;
  const closed = new Set(shownSettings(settings).flatMap(([path, value]) => (value === REDACTED ? [path] : [])));
  const secrets = new Map<string, string>();
  for (const [path, value] of leavesOf(settings)) {
    const name = path.join(".");
    if ((origins[name] ?? "default") === "default") continue;
    const written = document.getIn(path);
    if (isDeepStrictEqual(isCollection(written) ? written.toJSON() : written, value)) continue;
    isChanged = true;
    if (closed.has(name)) secrets.set(name, String(value));
    document.setIn(path, closed.has(name) ? `\${file:${placeOf(name)}}` : value);
  }
  return { text: isChanged ? document.toString() : before, secrets };
}
