import fc from "fast-check";
import type { JsonSchema, OpenApi } from "./document.ts";
import { HOSTILE_NUMBERS, HOSTILE_TEXTS } from "./hostile.ts";
import type { Kind } from "./known.ts";

/** Stands for something that exists when the request is sent: the `pick`th of its kind. */
export interface KnownValue {
  known: Kind;
  pick: number;
}

/** JSON in which some values are only settled when it is sent. */
export type Sketch = null | boolean | number | string | KnownValue | Sketch[] | { [key: string]: Sketch };

type Values = fc.Arbitrary<Sketch>;

const MOMENTS = [
  "1970-01-01T00:00:00Z",
  "0001-01-01T00:00:00Z",
  "0000-01-01T00:00:00Z",
  "2000-02-29T23:59:59.999999999+23:59",
  "9999-12-31T23:59:59Z",
  "9999-12-31T23:59:59-23:59",
  "2999-01-01T00:00:00-00:00",
];
const UUIDS = ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"];

/** Texts that hold no half of a pair: what a schema allows, and most of what people send. */
const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ minLength: 1, maxLength: 20 }) },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 40 }) },
  { weight: 2, arbitrary: fc.constantFrom(...HOSTILE_TEXTS.filter((each) => each.isWellFormed())) },
);

/** Makes values of a document's schemas: some that hold, and some that nearly do. */
export class SchemaValues {
  readonly #document: OpenApi;

  constructor(document: OpenApi) {
    this.#document = document;
  }

  /** Values that the schema allows. */
  valid(given: JsonSchema): Values {
    const schema = this.#resolve(given);
    if ("const" in schema) return fc.constant(schema["const"] as Sketch);
    if (schema["enum"]) return fc.constantFrom(...(schema["enum"] as Sketch[]));
    const choices = (schema["anyOf"] ?? schema["oneOf"]) as JsonSchema[] | undefined;
    if (choices) return fc.oneof(...choices.map((choice) => this.valid(choice)));
    if (schema["type"] === "object") return this.#validObject(schema);
    if (schema["type"] === "array") return this.#validArray(schema);
    return validScalar(schema);
  }

  /** Values at the edge of what the schema allows and beyond: too long, of another type, short of a field or with one more. */
  near(given: JsonSchema): Values {
    const schema = this.#resolve(given);
    const choices = (schema["anyOf"] ?? schema["oneOf"]) as JsonSchema[] | undefined;
    if (choices) return fc.oneof(...choices.map((choice) => this.near(choice)));
    if (schema["type"] === "object") return fc.oneof(...this.#nearObjects(schema));
    if (schema["type"] === "array") return fc.oneof(...this.#nearArrays(schema));
    return fc.oneof(anything, ...nearScalars(schema, this.valid(schema)));
  }

  #resolve(schema: JsonSchema): JsonSchema {
    const reference = schema["$ref"] as string | undefined;
    return reference ? this.#resolve(this.#document.components.schemas[reference.split("/").at(-1)!]!) : schema;
  }

  #validObject(schema: JsonSchema): Values {
    const fields = Object.entries(fieldsOf(schema)).map(([name, field]) => [name, this.valid(field)] as const);
    const requiredKeys = (schema["required"] as string[] | undefined) ?? [];
    if (fields.length > 0) return fc.record(Object.fromEntries(fields), { requiredKeys, noNullPrototype: true });
    return fc.dictionary(fc.string({ maxLength: 8 }), json, { maxKeys: 4, noNullPrototype: true });
  }

  #validArray(schema: JsonSchema): Values {
    const maxLength = Math.min((schema["maxItems"] as number | undefined) ?? 3, 3);
    return fc.array(this.valid(schema["items"] as JsonSchema), {
      minLength: schema["minItems"] as number | undefined,
      maxLength,
    });
  }

  #nearObjects(schema: JsonSchema): Values[] {
    const whole = this.#validObject(schema) as fc.Arbitrary<{ [key: string]: Sketch }>;
    const extra = fc.tuple(fc.oneof(fc.constantFrom("__proto__", "constructor", "Name", "id"), text), json);
    const changed = Object.entries(fieldsOf(schema)).map(([name, field]) =>
      fc.tuple(whole, this.near(field)).map(([value, near]) => ({ ...value, [name]: near })),
    );
    const lacking = ((schema["required"] as string[] | undefined) ?? []).map((name) =>
      whole.map((value): Sketch => Object.fromEntries(Object.entries(value).filter(([other]) => other !== name))),
    );
    const more = fc.tuple(whole, extra).map(([value, [name, content]]): Sketch => ({ ...value, [name]: content }));
    // Each field counts as much as all that can be wrong with the whole.
    return [anything, more, ...lacking, ...changed, ...changed];
  }

  #nearArrays(schema: JsonSchema): Values[] {
    const items = schema["items"] as JsonSchema;
    const most = (schema["maxItems"] as number | undefined) ?? 1000;
    const many = this.valid(items).map((item): Sketch => Array.from({ length: most + 1 }, () => item));
    const twice = this.valid(items).map((item): Sketch => [item, item]);
    return [anything, fc.constant([]), many, twice, this.near(items).map((item): Sketch => [item])];
  }
}

const fieldsOf = (schema: JsonSchema): Record<string, JsonSchema> =>
  (schema["properties"] as Record<string, JsonSchema> | undefined) ?? {};

const json = fc.jsonValue({ maxDepth: 2 }) as Values;

/** Values of any type. */
const anything: Values = fc.oneof(
  fc.constantFrom<Sketch>(null, true, false, 0, 1, "", "1", [], {}, [[]], [null]),
  json,
);

function validScalar(schema: JsonSchema): Values {
  const { type, format, pattern, minLength = 0, maxLength = 1000, minimum, maximum } = schema as Record<string, never>;
  if (type === "null") return fc.constant(null);
  if (type === "boolean") return fc.boolean();
  if (type === "integer" || type === "number") return number(type === "integer", minimum, maximum);
  if (type !== "string") return json;
  const fits = (value: Sketch) => {
    const { length } = Array.from(value as string);
    return length >= minLength && length <= maxLength && (!pattern || new RegExp(pattern).test(value as string));
  };
  if (format === "uuid") return fc.oneof(fc.uuid(), fc.constantFrom(...UUIDS)).filter(fits);
  if (format === "date-time") return moment.filter(fits);
  if (!pattern) return text.filter(fits);
  const strange = HOSTILE_TEXTS.filter((each) => each.isWellFormed() && fits(each));
  const made = fc.stringMatching(new RegExp(pattern), { maxLength: 64 }).filter(fits);
  return strange.length > 0 ? fc.oneof(made, fc.constantFrom(...strange)) : made;
}

const moment = fc.oneof(
  fc.constantFrom(...MOMENTS),
  fc.date({ min: new Date(0), max: new Date("2999-12-31"), noInvalidDate: true }).map((date) => date.toISOString()),
);

function number(isWhole: boolean, least = 0, most = 1_000_000): Values {
  const [min, max] = [Math.max(least, -(2 ** 31)), Math.min(most, 2 ** 53 - 1)];
  const edges = fc.constantFrom(min, max);
  if (isWhole) return fc.oneof(fc.integer({ min, max: Math.min(max, 2 ** 31) }), edges);
  return fc.oneof(fc.double({ min, max, noNaN: true }), fc.integer({ min, max }), edges);
}

function nearScalars(schema: JsonSchema, valid: Values): Values[] {
  const { type, maxLength = 63, minLength = 0, minimum = 0, maximum = 0 } = schema as Record<string, never>;
  if (type === "integer" || type === "number") {
    const around = [minimum - 1, minimum, minimum + 0.5, maximum, maximum + 1, maximum + 0.5];
    return [fc.constantFrom(...around), fc.constantFrom(...HOSTILE_NUMBERS), valid.map(String)];
  }
  if (type !== "string") return [valid.map(String)];
  const hostile = fc.constantFrom(...HOSTILE_TEXTS);
  const lengths = fc
    .constantFrom(minLength - 1, minLength, maxLength, maxLength + 1)
    .map((n) => "a".repeat(Math.max(0, n)));
  const around = fc
    .tuple(valid, hostile, fc.boolean())
    .map(([value, edge, first]) => (first ? `${edge}${String(value)}` : `${String(value)}${edge}`));
  return [hostile, hostile, lengths, around, valid.map((value) => String(value).toUpperCase())];
}
