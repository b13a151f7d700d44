import fc from "fast-check";
import { registry } from "../../src/operations/registry.ts";
import type { FuzzRoute, JsonSchema } from "./document.ts";
import { RESERVED_NAMES } from "./hostile.ts";
import type { Kind } from "./known.ts";
import type { SchemaValues, Sketch } from "./values.ts";
import { z } from "zod";

/** The names of all databases that the fuzzer makes by name. */
export const DATABASES = ["fuzz_a", "fuzz_b", "fuzz_c", "fuzz_d", "fuzz_e", "fuzz_f"];

/** Services whose databases it asks for. */
const SERVICES = ["Fuzz One", "fuzz-two", "Fuzz.3"];

const USERS = ["fuzz-a", "fuzz-b", "fuzz-c", "fuzz-d"];

/** The password of every user that the fuzzer makes on purpose. */
export const PASSWORD = "a long sentence for a fuzzer";

/** The first admin: he signs in with a browser, and is not to be changed by what comes at random. */
export const WARDEN = "warden";

/** Something that exists when the request is sent. */
export const known = (kind: Kind): fc.Arbitrary<Sketch> =>
  fc.nat({ max: 11 }).map((pick): Sketch => ({ known: kind, pick }));

const mostly = (usual: fc.Arbitrary<Sketch>, otherwise: fc.Arbitrary<Sketch>, weight = 8): fc.Arbitrary<Sketch> =>
  fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: otherwise });

/** Where the schema alone would hardly ever hit something that is there: by path, then by the field's place and name. */
const HINTS: [path: RegExp, field: string, values: fc.Arbitrary<Sketch>][] = [
  [/^\/api\/databases\/\{name\}\/undelete$/, "path.name", known("deleted")],
  [/^\/api\/databases\/\{name\}$/, "path.name", mostly(known("database"), fc.constantFrom(...RESERVED_NAMES))],
  [/^\/api\/databases\/\{name\}/, "path.name", known("database")],
  [/^\/api\/deleted-databases/, "path.deleted_name", known("deleted-name")],
  [/^\/api\/operations\/\{id\}/, "path.id", fc.oneof(known("operation"), known("database-operation"))],
  [/^\/api\/workflows/, "path.id", known("workflow")],
  [/^\/api\/tasks/, "path.id", known("task")],
  [/^\/api\/sessions/, "path.id", known("session")],
  [/^\/api\/users/, "path.name", known("user")],
  [/^\/api\/keys/, "path.prefix", known("key")],
  [/^\/api\/operations$/, "query.cursor", fc.oneof(known("operation"), known("database-operation"))],
  [/^\/api\/workflows$/, "query.cursor", known("workflow")],
  [/^\/api\/audit$/, "query.cursor", fc.nat({ max: 400 }).map(String)],
  [/./, "query.cursor", known("cursor")],
  [/./, "query.dry_run", fc.constantFrom("true", "true", "true", "false")],
  [/./, "query.wait", fc.constantFrom(0, 0.05, 1, 20)],
  [
    /^\/api\/databases$/,
    "body.database_name",
    mostly(fc.constantFrom(...DATABASES), fc.constantFrom(...RESERVED_NAMES)),
  ],
  [/./, "body.owner", fc.constantFrom("fuzz_owner", "fuzz_a_owner", "postgres")],
  [/./, "body.extensions", fc.constantFrom<Sketch>([], ["pg_trgm"], ["hstore", "citext"])],
  [/./, "body.template", fc.constantFrom("template0", "template1")],
  [/./, "body.statement_timeout", fc.constantFrom("30s", "5min", "0")],
  [/./, "body.service_name", fc.constantFrom(...SERVICES)],
  [/^\/api\/users$/, "body.name", fc.constantFrom(...USERS)],
  [/^\/api\/users/, "body.password", fc.constant(PASSWORD)],
  [/^\/api\/session$/, "body.user_name", fc.oneof(fc.constant(WARDEN), known("user"))],
  [/^\/api\/session$/, "body.password", fc.constant(PASSWORD)],
  [/^\/api\/session\/confirm$/, "body.password", known("password")],
  [/^\/api\/session\/password$/, "body.current", known("password")],
  [/^\/api\/tasks$/, "body.workflow_id", known("workflow")],
  [
    /^\/api\/keys$/,
    "body.expires_at",
    fc.constantFrom<Sketch>(null, "2999-01-01T00:00:00Z", "2999-12-31T23:59:59.123+02:00"),
  ],
];

const hintFor = (path: string, field: string): fc.Arbitrary<Sketch> | undefined =>
  HINTS.find(([where, name]) => name === field && where.test(path))?.[2];

/** Values for a field of a route that the schema allows; mostly such that they name something. */
export function fieldValues(
  values: SchemaValues,
  route: FuzzRoute,
  field: string,
  schema: JsonSchema,
): fc.Arbitrary<Sketch> {
  const hint = hintFor(route.path, field);
  return hint ? mostly(hint, values.valid(schema)) : values.valid(schema);
}

/** The body of `POST /api/operations` says only that there is an input: what it may be is the named operation's. */
export function operationBodies(values: SchemaValues): fc.Arbitrary<Sketch> {
  const bodies = registry.map(({ name, input }) => {
    const schema = z.toJSONSchema(input, { io: "input", unrepresentable: "any" }) as JsonSchema;
    const fields = Object.entries(schema["properties"] as Record<string, JsonSchema>).map(([field, its]) => {
      const hint = INPUT_HINTS[`${name} ${field}`] ?? INPUT_HINTS[field];
      return [field, hint ? mostly(hint, values.valid(its)) : values.valid(its)] as const;
    });
    const requiredKeys = (schema["required"] as string[] | undefined) ?? [];
    return fc
      .record(Object.fromEntries(fields), { requiredKeys, noNullPrototype: true })
      .map((its): Sketch => ({ operation: name, input: its as Sketch }));
  });
  return fc.oneof(...bodies);
}

const INPUT_HINTS: Record<string, fc.Arbitrary<Sketch>> = {
  "database.provision name": fc.constantFrom(...DATABASES),
  "database.undelete name": known("deleted"),
  name: known("database"),
  deleted_name: known("deleted-name"),
  extensions: fc.constant([]),
  template: fc.constant("template0"),
};
