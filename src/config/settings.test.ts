import { expect, test } from "vitest";
import { flatten } from "./layers.ts";
import { settingsJsonSchema, settingsSchema } from "./settings.ts";

const defaults = settingsSchema.parse({});

test("every default holds against its own rule", () => {
  expect(settingsSchema.parse(structuredClone(defaults))).toEqual(defaults);
});

test("a setting that is a secret is marked as one; what has a default is shown, printed and kept in git", () => {
  const secret = /password|secret|token|api_key|credential/i;
  const paths = flatten(defaults).map(([path]) => path);
  expect(paths.filter((path) => secret.test(path))).toEqual([]);
  const unmarked: string[] = [];
  const walk = (schema: Record<string, unknown>): void => {
    for (const [name, child] of Object.entries((schema["properties"] ?? {}) as Record<string, typeof schema>)) {
      if (secret.test(name) && child["writeOnly"] !== true) unmarked.push(name);
      walk(child);
    }
  };
  walk(settingsJsonSchema() as Record<string, unknown>);
  expect(unmarked).toEqual([]);
});

test("the schema for editors describes every setting, and forbids unknown ones", () => {
  const undescribed: string[] = [];
  const walk = (schema: Record<string, unknown>, path: string): void => {
    if (path && schema["type"] === "object" && schema["properties"]) expect(schema["additionalProperties"]).toBe(false);
    for (const [name, child] of Object.entries(
      (schema["properties"] ?? {}) as Record<string, Record<string, unknown>>,
    )) {
      const at = path ? `${path}.${name}` : name;
      if (child["properties"]) walk(child, at);
      else if (!child["description"]) undescribed.push(at);
    }
  };
  walk(settingsJsonSchema() as Record<string, unknown>, "");
  expect(undescribed).toEqual([]);
});
