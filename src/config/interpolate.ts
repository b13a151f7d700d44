import { HomelabError } from "../core/errors.ts";

/** Where `${VAR}` and `${file:/path}` are looked up. */
export interface Lookup {
  env: Record<string, string | undefined>;
  readFile(path: string): string;
}

/**
 * Replaces `$VAR`, `${VAR}`, `${VAR:-default}`, `${VAR:?message}`, `${VAR:+other}` (each also without the colon),
 * `${file:/path}` and `$$`, as Docker Compose does (docs.docker.com, "Interpolation"), but for one thing: a variable
 * that is unset and has no default is an error.
 * @throws HomelabError `configuration_invalid`
 */
export function interpolate(text: string, lookup: Lookup): string {
  let result = "";
  let at = 0;
  for (;;) {
    const dollar = text.indexOf("$", at);
    if (dollar === -1) return result + text.slice(at);
    const { value, end } = expressionAt(text, dollar, lookup);
    result += text.slice(at, dollar) + value;
    at = end;
  }
}

/** What the expression that begins at a dollar stands for, and where it ends; a dollar before anything else is itself. */
function expressionAt(text: string, dollar: number, lookup: Lookup): { value: string; end: number } {
  const next = text[dollar + 1];
  if (next === "$") return { value: "$", end: dollar + 2 };
  if (next === "{") {
    const end = closingBrace(text, dollar);
    return { value: braced(text.slice(dollar + 2, end), lookup), end: end + 1 };
  }
  const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(text.slice(dollar + 1, dollar + 257))?.[0] ?? "";
  return { value: name ? braced(name, lookup) : "$", end: dollar + 1 + name.length };
}

/** The brace that closes `${`, expressions inside it left out. */
function closingBrace(text: string, dollar: number): number {
  let depth = 0;
  for (let i = dollar; i < text.length; i++) {
    if (text[i] === "$" && text[i + 1] === "{") depth++;
    if (text[i] === "}" && --depth === 0) return i;
  }
  throw new HomelabError("configuration_invalid", `${text.slice(dollar, dollar + 40)} is not closed`, {
    hint: "A dollar that stands for itself is written twice: $$",
  });
}

function braced(expression: string, lookup: Lookup): string {
  if (expression.startsWith("file:")) return readSecretFile(expression.slice(5), lookup);
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:?)([-?+])([^]*))?$/.exec(expression);
  if (!match) {
    throw new HomelabError("configuration_invalid", `\${${expression.slice(0, 40)}} is not understood`, {
      hint: "Written are ${VAR}, ${VAR:-default}, ${VAR:?message}, ${VAR:+other}, ${file:/path}, and $$ for a dollar.",
    });
  }
  const [, name = "", colon, operator, operand = ""] = match;
  const value = lookup.env[name];
  const usable = value !== undefined && (value !== "" || !colon);
  if (operator === "+") return usable ? interpolate(operand, lookup) : "";
  if (usable) return value;
  if (operator === "-") return interpolate(operand, lookup);
  const message = interpolate(operand, lookup) || `the variable ${name} is not set`;
  throw new HomelabError("configuration_invalid", message, {
    hint: `Set ${name}, or give it a default: \${${name}:-value}`,
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
  if (typeof value === "string") return retyped(value, interpolate(value, lookup));
  if (Array.isArray(value)) return value.map((item) => interpolateAll(item, lookup));
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, interpolateAll(v, lookup)]));
  }
  return value;
}

/** `port_offset: ${OFFSET}` means a number: what an expression gave is read as YAML would have read it in its place. */
function retyped(before: string, after: string): unknown {
  if (before === after) return after;
  if (after === "true" || after === "false") return after === "true";
  return /^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$/.test(after) ? Number(after) : after;
}
