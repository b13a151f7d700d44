import { Api } from "./api.ts";
import type { TestHome } from "./home.ts";

/** A route as the hub's own document has it. */
export interface DocumentedRoute {
  method: string;
  path: string;
  /** What a caller needs; null where the route is open to everybody. */
  scope: string | null;
  /** The names of what its query may hold. */
  query: string[];
  body: JsonSchema | undefined;
  /** What it answers is no JSON, but events without an end. */
  isStream: boolean;
}

/** The parts of a JSON schema that tests read. */
export interface JsonSchema {
  type?: string;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  required?: string[];
  additionalProperties?: unknown;
  enum?: string[];
  pattern?: string;
  maxLength?: number;
}

interface Described {
  description?: string;
  security: object[];
  parameters: { name: string; in: string }[];
  requestBody?: { content: { "application/json"?: { schema: JsonSchema } } };
  responses: Record<string, { content?: Record<string, unknown> }>;
}

/** Every route that the document lists. */
export async function documentedRoutes(home: TestHome): Promise<DocumentedRoute[]> {
  const { json } = await Api.network(home).get("/api/openapi.json");
  const { paths } = json<{
    paths: Record<string, Record<string, Described>>;
  }>();
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({
      method: method.toUpperCase(),
      path,
      scope: scopeOf(described),
      query: described.parameters.filter((parameter) => parameter.in === "query").map(({ name }) => name),
      body: described.requestBody?.content["application/json"]?.schema,
      isStream: Object.values(described.responses).some(({ content }) => content && "text/event-stream" in content),
    })),
  );
}

function scopeOf({ description = "", security }: Described): string | null {
  const scope = /^Needs the scope (\w+)\./.exec(description)?.[1] ?? null;
  if ((scope === null) !== (security.length === 0)) throw new Error(`who may is said in two ways: ${description}`);
  return scope;
}

export const isUnsafe = ({ method }: Pick<DocumentedRoute, "method">): boolean => method !== "GET";

/** Things that are not there, by the names that the document's paths have for them. */
const NOTHING: Record<string, string> = {
  name: "not_there",
  deleted_name: "deleted-20260101000000-00000000",
  id: "00000000-0000-4000-8000-000000000000",
  prefix: "AAAAAAAA",
  service: "not_there",
};

/** A path of a route to something that is not there. */
export const pathToNothing = ({ path }: Pick<DocumentedRoute, "path">): string =>
  path
    .replace("/api/operations/{id}", "/api/operations/op_00000000000000000000000000")
    .replaceAll(/\{(\w+)\}/g, (_, name: string) => NOTHING[name]!);
