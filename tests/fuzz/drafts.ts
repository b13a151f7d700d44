import fc from "fast-check";
import { CALLERS, type CallerName } from "./callers.ts";
import type { FuzzRoute, JsonSchema, Parameter } from "./document.ts";
import { fieldValues, operationBodies } from "./hints.ts";
import * as hostile from "./hostile.ts";
import type { SchemaValues, Sketch } from "./values.ts";

/** A piece of a path: a value that is encoded, or what stands in the request as it is. */
export type PathPiece = { value: Sketch } | { raw: string };

/** A body: JSON, or a text with its content type. */
export type DraftBody = { json: Sketch } | { type: string | undefined; text: string };

/** A request before it is known what its values stand for. */
export interface Draft {
  /** Made to the document: nothing about it is twisted. */
  isValid: boolean;
  caller: CallerName;
  /** Which of the ways in which such a caller shows what he has; and from which address he comes. */
  variant: number;
  method: string;
  path: Record<string, PathPiece>;
  /** With a slash at its end. */
  slash: boolean;
  query: [name: string, value: Sketch][];
  /** What stands behind the query as it is. */
  tail: string;
  headers: Record<string, Sketch>;
  body: DraftBody | undefined;
  /** Sent once more when it went well, under the same Idempotency-Key. */
  again: boolean;
}

/** Requests to a route: to the document, and twisted. */
export function drafts(route: FuzzRoute, values: SchemaValues): fc.Arbitrary<Draft> {
  const valid = validDrafts(route, values);
  const twists = fc.oneof(...twistsOf(route, values));
  const twisted = fc
    .tuple(valid, fc.array(twists, { minLength: 1, maxLength: 2 }))
    .map(([draft, changes]) =>
      changes.reduce((before, change) => change(before), { ...draft, isValid: false, again: false }),
    );
  return fc.oneof({ weight: 2, arbitrary: valid }, { weight: 3, arbitrary: twisted });
}

const callers = fc.oneof(...CALLERS.map(({ name, weight }) => ({ weight, arbitrary: fc.constant(name) })));

/** Requests that the document allows. */
export function validDrafts(route: FuzzRoute, values: SchemaValues): fc.Arbitrary<Draft> {
  const { method, parameters, body } = route;
  const pieces = parameters
    .filter((parameter) => parameter.in === "path")
    .map(
      ({ name, schema }) =>
        [name, fieldValues(values, route, `path.${name}`, schema).map((value) => ({ value }))] as const,
    );
  return fc
    .record({
      caller: callers,
      variant: fc.nat({ max: 65_535 }),
      path: fc.record(Object.fromEntries(pieces), { noNullPrototype: true }),
      slash: fc.nat({ max: 9 }).map((n) => n === 9),
      query: validQuery(route, values),
      key: fc.option(fc.uuid(), { freq: 2 }),
      body: body ? validBody(route, body.schema, values).map((json) => ({ json })) : fc.constant(undefined),
      again: fc.nat({ max: 3 }).map((n) => n === 3),
      confirms: fc.boolean(),
    })
    .map(({ key, confirms, again, ...draft }) => {
      const named = draft.path["name"];
      const headers: Record<string, Sketch> = {
        ...(method === "POST" && key !== null ? { "idempotency-key": key } : {}),
        ...(method === "DELETE" && confirms && named && "value" in named ? { "homelab-confirm": named.value } : {}),
      };
      return { ...draft, isValid: true, method, headers, tail: "", again: again && "idempotency-key" in headers };
    });
}

function validQuery(route: FuzzRoute, values: SchemaValues): fc.Arbitrary<Draft["query"]> {
  const one = ({ name, schema, required }: Parameter) =>
    fc
      .tuple(required ? fc.constant(true) : fc.boolean(), fieldValues(values, route, `query.${name}`, schema))
      .map(([isThere, value]): Draft["query"] => (isThere ? [[name, value]] : []));
  return fc
    .tuple(...route.parameters.filter((parameter) => parameter.in === "query").map(one))
    .map((all) => all.flat());
}

function validBody(route: FuzzRoute, schema: JsonSchema, values: SchemaValues): fc.Arbitrary<Sketch> {
  if (route.key === "POST /api/operations") return operationBodies(values);
  const fields = Object.entries(schema["properties"] as Record<string, JsonSchema>).map(
    ([name, field]) => [name, fieldValues(values, route, `body.${name}`, field)] as const,
  );
  const requiredKeys = (schema["required"] as string[] | undefined) ?? [];
  return fc.record(Object.fromEntries(fields), { requiredKeys, noNullPrototype: true });
}

type Twist = (draft: Draft) => Draft;

/** What can be wrong with a request, one thing each. */
function twistsOf(route: FuzzRoute, values: SchemaValues): fc.WeightedArbitrary<Twist>[] {
  const { parameters, body } = route;
  const each = (place: Parameter["in"]) => parameters.filter((parameter) => parameter.in === place);
  const path = each("path").flatMap(({ name, schema }) => {
    const pieces = [
      values.near(schema).map((value): PathPiece => ({ value })),
      fc.constantFrom(...hostile.RAW_PATH_PIECES).map((raw): PathPiece => ({ raw })),
    ];
    return pieces.map((piece) => ({ weight: 4, arbitrary: piece.map(inPath(name)) }));
  });
  const query = each("query").map(({ name, schema }) => {
    const near = fc.oneof(values.near(schema), fc.constantFrom(...hostile.NUMBER_TEXTS, ...hostile.HOSTILE_TEXTS));
    return { weight: 3, arbitrary: near.map(inQuery(name)) };
  });
  const near = body
    ? [
        {
          weight: 8,
          arbitrary: values.near(body.schema).map((json): Twist => (draft) => ({ ...draft, body: { json } })),
        },
      ]
    : [];
  return [
    ...path,
    ...query,
    ...near,
    ...(body ? [{ weight: 1, arbitrary: fc.constant<Twist>((draft) => ({ ...draft, body: undefined })) }] : []),
    {
      weight: body ? 4 : 1,
      arbitrary: fc.constantFrom(...hostile.RAW_BODIES).map((raw): Twist => (draft) => ({ ...draft, body: raw })),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...hostile.RAW_QUERY_TAILS).map((tail): Twist => (draft) => ({ ...draft, tail })),
    },
    { weight: 2, arbitrary: headerTwists },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...hostile.STRANGE_HEADERS).map((headers): Twist => (draft) => ({
        ...draft,
        headers: { ...draft.headers, ...headers },
      })),
    },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom("HEAD", "OPTIONS", "PUT", "TRACE", "PATCH", "PROPFIND")
        .map((method): Twist => (draft) => ({ ...draft, method })),
    },
  ];
}

const headerTwists = fc
  .tuple(
    fc.constantFrom("idempotency-key", "last-event-id", "homelab-confirm", "x-api-key"),
    fc.constantFrom(...hostile.HEADER_TEXTS),
  )
  .map(([name, value]): Twist => (draft) => ({ ...draft, headers: { ...draft.headers, [name]: value } }));

const inPath =
  (name: string) =>
  (piece: PathPiece): Twist =>
  (draft) => ({ ...draft, path: { ...draft.path, [name]: piece } });

const inQuery =
  (name: string) =>
  (value: Sketch): Twist =>
  (draft) => ({ ...draft, query: [...draft.query.filter(([other]) => other !== name), [name, value]] });
