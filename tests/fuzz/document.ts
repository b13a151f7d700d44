import type { Scope } from "../../src/core/scope.ts";

/** A JSON schema as the document holds it. */
export type JsonSchema = { [keyword: string]: unknown };

/** A parameter of a route. */
export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required: boolean;
  schema: JsonSchema;
}

type Content = Record<string, { schema?: JsonSchema }>;

/** An operation of the document, as far as the fuzzer reads it. */
interface Described {
  description?: string;
  parameters: Parameter[];
  requestBody?: { required: boolean; content: Content };
  responses: Record<string, { content?: Content }>;
}

/** The parts of an OpenAPI document that the fuzzer reads. */
export interface OpenApi {
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, JsonSchema> };
}

/** One route of the document. */
export interface FuzzRoute {
  /** `GET /api/databases/{name}` */
  key: string;
  method: string;
  path: string;
  /** What a caller needs; null for a route that is open to everybody. */
  scope: Scope | null;
  parameters: Parameter[];
  body: { required: boolean; schema: JsonSchema } | undefined;
  /** Its body is bytes: no JSON will do. */
  takesBytes: boolean;
  /** By status: the content types and schemas that are declared. */
  responses: Record<string, Content>;
  isStream: boolean;
}

/** Every route, in the document's order. */
export const routesOf = (document: OpenApi): FuzzRoute[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => routeOf(path, method.toUpperCase(), described)),
  );

function routeOf(path: string, method: string, described: Described): FuzzRoute {
  const { description, parameters, requestBody, responses } = described;
  const content = Object.entries(responses).map(([status, answer]) => [status, answer.content ?? {}] as const);
  return {
    key: `${method} ${path}`,
    ...{ method, path, parameters },
    scope: (/Needs the scope (\w+)/.exec(description ?? "")?.[1] as Scope | undefined) ?? null,
    body: requestBody?.content["application/json"] && {
      required: requestBody.required,
      schema: requestBody.content["application/json"].schema!,
    },
    takesBytes: requestBody !== undefined && !("application/json" in requestBody.content),
    responses: Object.fromEntries(content),
    isStream: content.some(([, types]) => "text/event-stream" in types),
  };
}
