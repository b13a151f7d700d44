import { REDACTED } from "../core/secret.ts";
import { flatten } from "./layers.ts";
import { settingsJsonSchema, type Settings } from "./settings.ts";

/** The part of the JSON schema that says what is a secret. */
interface Marked {
  writeOnly?: boolean;
  properties?: Record<string, Marked>;
}

/** The settings that hold a secret: those that the schema marks `writeOnly`. */
function secretPaths(schema: Marked, path = ""): string[] {
  if (schema.writeOnly) return [path];
  return Object.entries(schema.properties ?? {}).flatMap(([key, part]) =>
    secretPaths(part, path ? `${path}.${key}` : key),
  );
}

/** Every setting as `path → value`, as it may be printed and answered: a secret is only said to be there. */
export function shownSettings(settings: Settings): [string, unknown][] {
  const secrets = new Set(secretPaths(settingsJsonSchema()));
  return flatten(settings).map(([path, value]) => [path, secrets.has(path) ? REDACTED : value]);
}
