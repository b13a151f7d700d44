import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { describe, expect, test } from "vitest";
import { registry } from "../operations/registry.ts";
import { makeDocument } from "./openapi.ts";
import { allRoutes } from "./routes.ts";
import type { Services } from "./services.ts";

interface Parameter {
  name: string;
  in: string;
  required: boolean;
  schema: object;
}

interface Described {
  operationId: string;
  summary: string;
  tags: string[];
  security: Record<string, string[]>[];
  parameters: Parameter[];
  requestBody?: { content: Record<string, { schema: object }> };
  responses: Record<string, { description: string; content?: Record<string, { schema?: object }> }>;
}

interface OpenApi {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, object>; securitySchemes: Record<string, object> };
}

/** Routes are described without what they work with: whatever of it is taken in hand stands for everything. */
const services: Services = new Proxy({} as Services, { get: (): unknown => services });
const document = makeDocument(allRoutes(services), { version: "0.0.0-test", basePath: "" }) as unknown as OpenApi;

const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, described]) => ({
    key: `${method.toUpperCase()} ${path}`,
    path,
    ...described,
  })),
);
const each = routes.map((route) => [route.key, route] as const);

/** Every value under a name, wherever it stands in the document. */
function valuesOf(name: string, within: unknown = document): unknown[] {
  if (typeof within !== "object" || within === null) return [];
  return Object.entries(within).flatMap(([key, value]) => (key === name ? [value] : valuesOf(name, value)));
}

const resolve = (reference: string): unknown =>
  reference
    .replace(/^#\//, "")
    .split("/")
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);

describe("the document", () => {
  test("is the one that was agreed on: whoever changes the contract changes this file (vitest -u writes it)", async () => {
    const text = `${JSON.stringify(document, null, 1)}\n`;
    await expect(text).toMatchFileSnapshot(join(import.meta.dirname, "testdata", "openapi.json"));
  });

  test("is OpenAPI 3.1, and says what it describes", () => {
    expect(document.openapi).toMatch(/^3\.1\.\d$/);
    expect(document.info).toMatchObject({ title: "HomeLabHub", version: "0.0.0-test" });
    for (const path of Object.keys(document.paths)) expect(path).toMatch(/^\/(?:[a-z.-]+|\{[a-z_]+\}|\/)*$/);
  });

  test("has something at the end of each reference, and not the same one again", () => {
    const references = valuesOf("$ref") as string[];
    expect(references.length).toBeGreaterThan(50);
    expect(references.filter((reference) => resolve(reference) === undefined)).toEqual([]);
    for (const [name, schema] of Object.entries(document.components.schemas))
      expect([name, schema]).not.toEqual([name, { $ref: expect.any(String) as string }]);
  });

  test("gives each route a name of its own", () => {
    const names = routes.map(({ operationId }) => operationId);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  test("holds a route for every operation of the registry that has one", () => {
    const wanted = registry.flatMap(({ route }) => (route ? [`${route.method} ${route.path}`] : []));
    expect(wanted.filter((key) => !routes.some((route) => route.key === key))).toEqual([]);
  });

  test("names only schemas that JSON schema 2020-12 allows, strictly", () => {
    const ajv = formats.default(new Ajv2020({ strict: true, strictTypes: false }));
    const components = JSON.parse(
      JSON.stringify(document.components.schemas).replaceAll("#/components/schemas/", "#/$defs/"),
    ) as object;
    for (const schema of valuesOf("schema")) {
      const linked = JSON.parse(JSON.stringify(schema).replaceAll("#/components/schemas/", "#/$defs/")) as object;
      expect(() => ajv.compile({ ...linked, $defs: components })).not.toThrow();
    }
  });
});

describe.each(each)("%s", (_key, { path, parameters, responses, requestBody, security, summary, tags, key }) => {
  test("declares the parameters of its path, and each parameter once", () => {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
    const declared = parameters.filter((parameter) => parameter.in === "path");
    expect(declared.map(({ name }) => name).toSorted()).toEqual(inPath.toSorted());
    for (const parameter of declared) expect(parameter.required).toBe(true);
    const places = parameters.map((parameter) => `${parameter.in} ${parameter.name}`);
    expect(new Set(places).size).toBe(places.length);
  });

  test("says what it is for, what it answers, and how one shows who one is", () => {
    expect([summary.length > 3, tags.length]).toEqual([true, 1]);
    expect(Object.keys(responses).filter((status) => !/^([1-5]\d\d|[1-5]XX)$/.test(status))).toEqual([]);
    expect(Object.keys(responses).some((status) => /^[23]/.test(status))).toBe(true);
    for (const { description } of Object.values(responses)) expect(description).not.toBe("");
    for (const name of security.flatMap((way) => Object.keys(way)))
      expect(document.components.securitySchemes).toHaveProperty(name);
    if (key.startsWith("GET ")) expect(requestBody).toBeUndefined();
  });
});
