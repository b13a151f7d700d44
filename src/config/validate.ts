import { isMap, isScalar, type Document, type LineCounter } from "yaml";
import { z } from "zod";
import { HomelabError } from "../core/errors.ts";
import { didYouMean } from "../core/text.ts";
import { flatten } from "./layers.ts";
import { settingsSchema, type Settings } from "./settings.ts";

/** A file as it was parsed, kept for the line and column of what is wrong in it. */
export interface Source {
  name: string;
  document: Document;
  lines: LineCounter;
}

type Issue = z.core.$ZodIssue;

/**
 * Checks merged values against the schema.
 * @throws HomelabError `configuration_invalid`, with file, line and column of each problem and a "did you mean".
 */
export function validate(values: Record<string, unknown>, sources: Source[]): Settings {
  const parsed = settingsSchema.safeParse(values);
  const errors = parsed.success
    ? droppedKeys(values, sources)
    : parsed.error.issues.flatMap((issue) => describeIssue(issue, sources));
  if (parsed.success && errors.length === 0) return parsed.data;
  throw new HomelabError("configuration_invalid", errors.map((e) => `${e.field}: ${e.message}`).join("\n"), {
    hint: "homelab config schema prints every setting; homelab config show prints the values in force.",
    errors,
  });
}

/** zod leaves a key `__proto__` out of a map without a word; here a setting without effect is an error. */
function droppedKeys(values: Record<string, unknown>, sources: Source[]): { field: string; message: string }[] {
  return flatten(values)
    .map(([path]) => path.split("."))
    .filter((path) => path.includes("__proto__"))
    .map((path) => ({ field: place(path, sources), message: "unknown setting" }));
}

function describeIssue(issue: Issue, sources: Source[]): { field: string; message: string }[] {
  if (issue.code !== "unrecognized_keys") {
    return [{ field: place(issue.path, sources), message: describeValue(issue) }];
  }
  const known = knownKeys(issue.path);
  return issue.keys.map((key) => {
    const meant = didYouMean(key, known);
    return {
      field: place([...issue.path, key], sources),
      message: `unknown setting${meant ? `, did you mean ${meant}?` : ` (known here: ${known.join(", ")})`}`,
    };
  });
}

function describeValue(issue: Issue): string {
  return issue.code === "invalid_union"
    ? "expected one of the forms that homelab config schema lists"
    : issue.message.replace(/^Invalid (input|string): /, "").replace(/^Invalid option: /, "");
}

/** `homelab.yaml:8:22 network.ports.direct`, or the path alone when no file holds it. */
function place(path: PropertyKey[], sources: Source[]): string {
  const dotted = path.map(String).join(".");
  for (const source of sources.toReversed()) {
    const offset = offsetOf(source.document, path.map(String));
    if (offset === undefined) continue;
    const { line, col } = source.lines.linePos(offset);
    return `${source.name}:${line}:${col} ${dotted}`;
  }
  return dotted;
}

function offsetOf(document: Document, path: string[]): number | undefined {
  let node: unknown = document.contents;
  let offset: number | undefined;
  for (const key of path) {
    if (!isMap(node)) return undefined;
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
    if (!pair || !isScalar(pair.key)) return undefined;
    offset = pair.key.range?.[0];
    node = pair.value;
  }
  return offset;
}

/** The settings that may stand at a path, read from the schema itself. */
function knownKeys(path: PropertyKey[]): string[] {
  let schema = z.toJSONSchema(settingsSchema, { io: "input" }) as { properties?: Record<string, object> };
  for (const key of path) schema = schema.properties?.[String(key)] ?? {};
  return Object.keys(schema.properties ?? {});
}
