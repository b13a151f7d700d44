import { Readable } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { z } from "zod";
import { HomelabError } from "../core/errors.ts";
import { printable } from "../core/text.ts";
import { BYTES, type Endpoint, type Input } from "./endpoint.ts";

/** No input of ours nests deeper than this. */
const DEEPEST = 32;

/** So many faults are told: a body of ten thousand wrong fields must not be answered with ten times as much. */
const TOLD = 20;

interface Fault {
  field: string;
  message: string;
}

type Part = "params" | "query" | "body";

/** Checks what a request brings against what its route takes. @throws HomelabError `input_invalid`, with every field that is wrong */
export function parseInput(endpoint: Endpoint, request: FastifyRequest): Input<Endpoint> {
  const errors: Fault[] = [];
  const read = (part: Part, value: unknown): unknown => {
    const schema = endpoint[part];
    if (!schema) return void errors.push(...unexpected(part, value));
    const parsed = schema.safeParse(part === "body" && value === undefined ? {} : value);
    if (parsed.success) return parsed.data;
    return void errors.push(...parsed.error.issues.slice(0, TOLD).flatMap(fieldErrors));
  };
  const input = {
    params: read("params", request.params),
    query: read("query", request.query),
    body: endpoint.takes ? expectBytes(request.body, errors) : read("body", request.body),
  };
  if (errors.length === 0) return input as Input<Endpoint>;
  const told = errors.slice(0, TOLD);
  const sentences = told.map(({ field, message }) => `${field || "body"}: ${message}`).join("; ");
  throw new HomelabError("input_invalid", errors.length > TOLD ? `${sentences}; and more` : sentences, {
    errors: told,
  });
}

/** The handler reads them from the request. */
function expectBytes(body: unknown, errors: Fault[]): undefined {
  if (!(body instanceof Readable)) errors.push({ field: "", message: `expected the bytes themselves, as ${BYTES}` });
}

/** What came where the route takes nothing. */
function unexpected(part: Part, value: unknown): Fault[] {
  if (part === "params" || value === undefined || value === null) return [];
  if (typeof value !== "object" || Array.isArray(value)) return [{ field: "", message: "none is taken here" }];
  return unknownFields(Object.keys(value), []);
}

/** Names that nobody knows, in such a way that they can be printed. */
const unknownFields = (names: string[], at: string[]): Fault[] =>
  names.slice(0, TOLD + 1).map((name) => ({ field: fieldName([...at, name]), message: "unknown field" }));

const fieldName = (at: string[]): string => printable(at.map((name) => name.slice(0, 100)).join(".")).slice(0, 200);

function fieldErrors(issue: z.core.$ZodIssue): Fault[] {
  const at = issue.path.map(String);
  if (issue.code === "unrecognized_keys") return unknownFields(issue.keys, at);
  return [{ field: fieldName(at), message: issue.message.replace(/^Invalid (input|string|option): /, "") }];
}

/**
 * JSON alone is read, so that a form of another site has nothing to send (faults S18); an empty body counts as none,
 * and keys that would reach an object's prototype are refused (faults S30).
 */
export function readJsonOnly(app: FastifyInstance): void {
  const standard = app.getDefaultJsonParser("error", "error");
  app.removeAllContentTypeParsers();
  // Read by the handler, once it is known who sends it and whether he may.
  app.addContentTypeParser(BYTES, (request, body, done) => {
    if (request.is404) return done(null, undefined);
    if (request.routeOptions.config.takesBytes) return done(null, body);
    done(new HomelabError("media_type_unsupported", `${BYTES} is not taken here`), undefined);
  });
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    const text = String(body);
    if (text.trim() === "") return done(null, undefined);
    if (isTooDeep(text))
      return done(new HomelabError("request_malformed", `the body nests deeper than ${DEEPEST} levels`), undefined);
    request.rawBody = text;
    void standard(request, text, done);
  });
}

declare module "fastify" {
  interface FastifyRequest {
    /** The body as it came. */
    rawBody?: string;
  }
}

/** Counts brackets outside of texts: a parser's own recursion is not to be tried out. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (quoted) {
      if (c === BACKSLASH) i += 1;
      else if (c === QUOTE) quoted = false;
    } else if (c === QUOTE) quoted = true;
    else if (c === BRACE || c === BRACKET) {
      if (++depth > DEEPEST) return true;
    } else if (c === BRACE_END || c === BRACKET_END) depth -= 1;
  }
  return false;
}

const [QUOTE, BACKSLASH, BRACE, BRACE_END, BRACKET, BRACKET_END] = Array.from('"\\{}[]', (c) => c.charCodeAt(0));
