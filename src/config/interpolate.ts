import { HomelabError } from "../core/errors.ts";

/** Where `${VAR}` and `${file:/path}` are looked up. */
export interface Lookup {
  env: Record<string, string | undefined>;
  readFile(path: string): string;
}

const EXPRESSION = /\$(?:\$|\{(file:)?([^}:]+)(?:(:-|:\?|-|\?)([^}]*))?\})/g;

/**
 * Replaces `${VAR}`, `${VAR:-default}`, `${VAR:?message}`, `${file:/path}` and `$$`, as Docker Compose does
 * (docs.docker.com, "Interpolation"), but for one thing: a variable that is unset and has no default is an error.
 * @throws HomelabError `configuration_invalid`
 */
export function interpolate(text: string, lookup: Lookup): string {
  return text.replace(EXPRESSION, (whole: string, file?: string, name?: string, operator?: string, rest?: string) => {
    if (whole === "$$") return "$";
    if (file) return readSecretFile(name!, lookup);
    const value = lookup.env[name!];
    const usable = operator?.startsWith(":") ? value !== undefined && value !== "" : value !== undefined;
    if (usable) return value!;
    if (operator?.endsWith("-")) return rest ?? "";
    throw new HomelabError("configuration_invalid", rest || `the variable ${name} is not set`, {
      hint: `Set ${name}, or give it a default: \${${name}:-value}`,
    });
  });
}

function readSecretFile(path: string, lookup: Lookup): string {
  try {
    return lookup.readFile(path).trimEnd();
  } catch (cause) {
    throw new HomelabError("configuration_invalid", `the file ${path} cannot be read`, { cause });
  }
}

/** Interpolates every string value of a parsed document; keys stay as they are. */
export function interpolateAll(value: unknown, lookup: Lookup): unknown {
  if (typeof value === "string") return interpolate(value, lookup);
  if (Array.isArray(value)) return value.map((item) => interpolateAll(item, lookup));
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, interpolateAll(v, lookup)]));
  }
  return value;
}
