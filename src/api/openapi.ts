import { z } from "zod";
import type { Mounted } from "./call.ts";
import { problem, type Endpoint } from "./endpoint.ts";
import { IDEMPOTENCY_KEY } from "./idempotency.ts";

const EVENTS = "text/event-stream";

type JsonObject = { [key: string]: unknown };

/** What every document of this kind has, and what of it changes with the build. */
export interface DocumentFacts {
  version: string;
  basePath: string;
}

/** The OpenAPI 3.1 document of all routes: made from the very schemas that check the requests. */
export function makeDocument(routes: Mounted[], { version, basePath }: DocumentFacts): JsonObject {
  const schemas: Record<string, JsonObject> = {};
  const paths: Record<string, JsonObject> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = describe(route, schemas);
  return {
    openapi: "3.1.0",
    info: { title: "HomeLabHub", version, description: "PostgreSQL for people who run their own machines." },
    servers: [{ url: basePath || "/" }],
    paths,
    components: {
      schemas: { ...schemas, Problem: schemaOf(problem, "output", {}) },
      securitySchemes: {
        key: { type: "apiKey", in: "header", name: "X-API-Key" },
        bearer: { type: "http", scheme: "bearer" },
        session: { type: "apiKey", in: "cookie", name: "homelab_session" },
      },
    },
  };
}

function describe({ method, path, endpoint }: Mounted, schemas: Record<string, JsonObject>): JsonObject {
  const { summary, tag, scope, body, proven, takes } = endpoint;
  const also = proven ? " From a browser, the password must have been given within 15 minutes." : "";
  return {
    operationId: operationId(method, path, tag),
    summary,
    tags: [tag],
    ...(scope === null
      ? { security: [] }
      : { security: [{ key: [] }, { bearer: [] }, { session: [] }], description: `Needs the scope ${scope}.${also}` }),
    parameters: parametersOf(endpoint, method),
    ...(body
      ? {
          requestBody: {
            required: !z.safeParse(body, {}).success,
            content: { "application/json": { schema: schemaOf(body, "input", schemas) } },
          },
        }
      : {}),
    ...(takes ? { requestBody: { required: true, content: { [takes]: {} } } } : {}),
    responses: responsesOf(endpoint, schemas),
  };
}

/** `GET /api/databases/{name}/url` is `getDatabasesNameUrl`, and `GET /setup` is `getSetupPage` beside `GET /api/setup`. */
const operationId = (method: string, path: string, tag: string): string =>
  method.toLowerCase() +
  path
    .replace(/^\/api\//, "/")
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join("") +
  (tag === "pages" ? "Page" : "");

function parametersOf({ params, query, produces }: Endpoint, method: string): JsonObject[] {
  const fields = (schema: z.ZodObject | undefined, place: "path" | "query") =>
    Object.entries(schema?.shape ?? {}).map(([name, field]) => {
      const described = schemaOf(field as z.ZodType, "input", {});
      return {
        name,
        in: place,
        required: place === "path" || !z.safeParse(field as z.ZodType, undefined).success,
        schema: described,
      };
    });
  const header = (name: string, schema: JsonObject) => ({ name, in: "header", required: false, schema });
  return [
    ...fields(params, "path"),
    ...fields(query, "query"),
    ...(method === "POST" ? [header("Idempotency-Key", { type: "string", pattern: IDEMPOTENCY_KEY.source })] : []),
    ...(produces === EVENTS ? [header("Last-Event-ID", { type: "string" })] : []),
  ];
}

function responsesOf({ answers, produces }: Endpoint, schemas: Record<string, JsonObject>): JsonObject {
  const described = Object.entries(answers).map(([status, schema]) => [
    status,
    {
      description: DESCRIPTIONS[status] ?? "Done",
      ...(schema
        ? { content: { "application/json": { schema: schemaOf(schema, "output", schemas) } } }
        : produces
          ? { content: { [produces]: {} } }
          : {}),
    },
  ]);
  const failure = {
    description: "Refused or failed",
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  };
  return { ...Object.fromEntries(described), "4XX": failure, "503": failure, "504": failure };
}

const DESCRIPTIONS: Record<string, string> = {
  200: "The answer",
  201: "Created",
  202: "Under way: follow it at Location",
  204: "Done, and nothing to say",
  302: "Elsewhere",
};

/** JSON schema 2020-12, which OpenAPI 3.1 takes as it is; schemas with an id become components, this one too if it has one. */
function schemaOf(schema: z.ZodType, io: "input" | "output", schemas: Record<string, JsonObject>): JsonObject {
  const {
    $schema: _,
    $defs,
    ...rest
  } = z.toJSONSchema(schema, { io, target: "draft-2020-12", unrepresentable: "any" }) as JsonObject;
  for (const [name, definition] of Object.entries(($defs as Record<string, JsonObject> | undefined) ?? {}))
    schemas[name] = JSON.parse(relink(definition)) as JsonObject;
  return JSON.parse(relink(rest)) as JsonObject;
}

/** A reference inside of one schema becomes one to the document's components. */
const relink = (value: JsonObject): string => {
  const { id: _, ...rest } = value;
  return JSON.stringify(rest).replaceAll('"#/$defs/', '"#/components/schemas/');
};
