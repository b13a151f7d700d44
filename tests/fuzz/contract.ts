import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { FuzzRoute, JsonSchema, OpenApi } from "./document.ts";
import type { Prepared } from "./wire.ts";

/** Checks answers and requests by the schemas of the document itself. */
export class ContractSchemas {
  readonly #ajv: Ajv2020;
  readonly #coercing: Ajv2020;
  readonly #components: Record<string, JsonSchema>;
  readonly #ofValues = new Map<JsonSchema, ValidateFunction>();
  readonly #ofTexts = new Map<JsonSchema, ValidateFunction>();

  constructor(document: OpenApi) {
    this.#components = document.components.schemas;
    const options = { strict: true, strictTypes: false, allErrors: true, validateFormats: true } as const;
    this.#ajv = formats.default(new Ajv2020(options));
    this.#coercing = formats.default(new Ajv2020({ ...options, coerceTypes: true }));
  }

  /** What of a value the schema does not allow; undefined when it holds. */
  fault(schema: JsonSchema, value: unknown): string | undefined {
    const validate = this.#compile(schema);
    return validate(value) ? undefined : this.#ajv.errorsText(validate.errors, { dataVar: "" }).slice(0, 500);
  }

  /** The same for a schema that has a name of its own. */
  faultOf(component: string, value: unknown): string | undefined {
    return this.fault(this.#components[component]!, value);
  }

  /** What of a request the document forbids; undefined when it allows all of it. */
  requestFault(route: FuzzRoute, { path, query, json }: Prepared): string | undefined {
    for (const parameter of route.parameters) {
      const given =
        parameter.in === "path"
          ? [path[parameter.name]!]
          : parameter.in === "query"
            ? valuesOf(query, parameter.name)
            : [];
      if (given.length > 1) return `${parameter.name} stands there ${given.length} times`;
      if (given.length === 0 && parameter.required && parameter.in !== "header") return `${parameter.name} is missing`;
      if (given.length === 1 && !this.#allowsText(parameter.schema, given[0]!))
        return `${parameter.name} is ${given[0]!.slice(0, 60)}`;
    }
    const unknown = query.find(
      ([name]) => !route.parameters.some((parameter) => parameter.in === "query" && parameter.name === name),
    );
    if (unknown) return `there is no parameter ${unknown[0]}`;
    if (route.takesBytes) return "the body is not the bytes that are wanted";
    if (!json) return route.body?.required ? "the body is missing" : undefined;
    if (!route.body) return undefined;
    const fault = this.fault(route.body.schema, json.value);
    return fault && `body: ${fault}`;
  }

  /** In an address everything is text: numbers are meant as JSON writes them. */
  #allowsText(schema: JsonSchema, text: string): boolean {
    if (/^(integer|number)$/.test(String(schema["type"])) && !/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text))
      return false;
    return this.#compile(schema, true)({ value: text });
  }

  #compile(schema: JsonSchema, asText = false): ValidateFunction {
    const compiled = asText ? this.#ofTexts : this.#ofValues;
    const known = compiled.get(schema);
    if (known) return known;
    const wrapped = asText ? { type: "object", properties: { value: schema } } : schema;
    const linked = JSON.stringify({ ...wrapped, $defs: this.#components }).replaceAll(
      "#/components/schemas/",
      "#/$defs/",
    );
    const validate = (asText ? this.#coercing : this.#ajv).compile(JSON.parse(linked) as JsonSchema);
    compiled.set(schema, validate);
    return validate;
  }
}

const valuesOf = (query: Prepared["query"], name: string): string[] =>
  query.filter(([other]) => other === name).map(([, value]) => value);
