import { registry } from "../../src/operations/registry.ts";
import { isAllowed } from "./callers.ts";
import type { ContractSchemas } from "./contract.ts";
import type { FuzzRoute } from "./document.ts";
import type { Draft } from "./drafts.ts";
import { leakIn } from "./leaks.ts";
import type { WireAnswer } from "./send.ts";
import { streamFault } from "./streams.ts";
import type { Prepared } from "./wire.ts";

/** A request with its answer. */
export interface Exchange {
  route: FuzzRoute;
  draft: Draft;
  request: Prepared;
  answer: WireAnswer;
}

/** What the rules go by beside an exchange. */
export interface RuleContext {
  schemas: ContractSchemas;
  /** Texts that no answer may hold, by what they are. */
  secrets: readonly string[];
  /** The home's folder: a path of the machine. */
  root: string;
}

/** Something that an answer must hold, by its name. */
type Rule = (exchange: Exchange, context: RuleContext) => string | undefined;

const HEADERS: Record<string, RegExp> = {
  "content-security-policy": /default-src '(self|none)'.*frame-ancestors 'none'/,
  "x-content-type-options": /^nosniff$/,
  "referrer-policy": /^no-referrer$/,
  "x-frame-options": /^(SAMEORIGIN|DENY)$/,
  "cache-control": /^no-store$/,
  "x-request-id": /^req_[\w-]{10,}$/,
};

/** Characters of a refusal at most: whoever sends a lot that is wrong must not get more back. */
const LONGEST_PROBLEM = 8192;

const isRefused = ({ status }: WireAnswer): boolean => status >= 400;

/** Whether the request went to this route at all: by another method, or without a piece of its path, it is another one's. */
const isOwn = ({ draft, route, request }: Exchange): boolean =>
  (draft.method === route.method || (draft.method === "HEAD" && route.method === "GET")) &&
  !Object.values(request.path).includes("");

/** Whether what it says can be read off the draft. */
const isPlain = (exchange: Exchange): boolean =>
  isOwn(exchange) && !Object.values(exchange.draft.path).some((piece) => "raw" in piece);

/** Every rule, by the name under which a failure is reported. */
export const RULES: Record<string, Rule> = {
  "no failure of our own": ({ answer }) => (answer.status >= 500 ? `status ${answer.status}` : undefined),
  "the status is declared": (exchange) => {
    const { answer, route } = exchange;
    return isRefused(answer) || !isOwn(exchange) || `${answer.status}` in route.responses
      ? undefined
      : `status ${answer.status} is not in the document`;
  },
  "the body is what is declared": bodyFault,
  "a refusal is a problem": problemFault,
  "every answer has its headers": ({ answer: { headers } }) =>
    Object.entries(HEADERS)
      .filter(([name, form]) => !form.test(String(headers[name] ?? "")))
      .map(([name]) => `${name}: ${String(headers[name])}`)
      .join("; ") || undefined,
  "nobody does what he may not": (exchange) => {
    const { route, draft, answer } = exchange;
    return !isRefused(answer) && isOwn(exchange) && !isAllowed(draft.caller, route.scope)
      ? `${draft.caller} got ${answer.status} without the scope ${route.scope}`
      : undefined;
  },
  "an operation asks for its own scope": (exchange) => {
    const { route, draft, request, answer } = exchange;
    const name = (request.json?.value as { operation?: unknown } | null | undefined)?.operation;
    const operation = route.key === "POST /api/operations" ? registry.find((each) => each.name === name) : undefined;
    if (isRefused(answer) || !isOwn(exchange) || !operation || isAllowed(draft.caller, operation.scope))
      return undefined;
    return `${draft.caller} may not do ${operation.name}`;
  },
  "what the document forbids is refused": (exchange, { schemas }) => {
    const { route, request, answer } = exchange;
    if (isRefused(answer) || !isPlain(exchange) || route.key.endsWith("/sso/callback")) return undefined;
    return schemas.requestFault(route, request);
  },
  "what the document allows is understood": (exchange, { schemas }) => {
    const { route, request, answer, draft } = exchange;
    if (!draft.isValid || answer.status !== 422 || schemas.requestFault(route, request)) return undefined;
    const { errors = [] } = JSON.parse(answer.text) as { errors?: { field: string; message: string }[] };
    // What a schema cannot say: fields that one kind of a thing needs and another has not.
    const odd = errors.filter(
      ({ field, message }) =>
        !message.endsWith(" needs it") &&
        !/^(cursor|password|next|expires_at|extensions|statement_timeout|to|at|path|key|key_secret|mask|.*\.\w+)$/.test(
          field,
        ),
    );
    return odd.length > 0 ? `refused: ${JSON.stringify(odd)}` : undefined;
  },
  "other methods are refused or read": ({ draft, answer, route }) =>
    /^(OPTIONS|PUT|TRACE|PROPFIND)$/.test(draft.method) && !isRefused(answer)
      ? `${draft.method} ${route.path} got ${answer.status}`
      : undefined,
  "nothing leaks": (exchange, context) => leakIn(exchange, context),
};

function bodyFault(exchange: Exchange, { schemas }: RuleContext): string | undefined {
  const { route, draft, answer } = exchange;
  const { status, text, headers } = answer;
  const declared = route.responses[status];
  if (isRefused(answer) || !declared || !isOwn(exchange)) return undefined;
  if (draft.method === "HEAD") return text === "" ? undefined : "an answer to HEAD has a body";
  const type = String(headers["content-type"] ?? "").replace(/;.*$/, "");
  const [name] = Object.keys(declared);
  if (name === undefined) return text === "" ? undefined : `${status} is declared without a body`;
  if (type !== name && status !== 302) return `${type} instead of ${name}`;
  if (type === "text/event-stream") return streamFault(route, text, schemas);
  const schema = declared[name]!.schema;
  if (!schema) return undefined;
  try {
    return schemas.fault(schema, JSON.parse(text));
  } catch {
    return `no JSON: ${text.slice(0, 80)}`;
  }
}

function problemFault({ answer, draft }: Exchange, { schemas }: RuleContext): string | undefined {
  const { status, text, headers } = answer;
  if (!isRefused(answer) || draft.method === "HEAD") return undefined;
  if (!String(headers["content-type"]).startsWith("application/problem+json"))
    return `content-type ${headers["content-type"]} with ${status}`;
  let body: Record<string, unknown>;
  try {
    body = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return `no JSON: ${text.slice(0, 80)}`;
  }
  const fault = schemas.faultOf("Problem", body);
  if (fault) return fault;
  if (body["status"] !== status) return `says ${String(body["status"])} with ${status}`;
  if (body["request_id"] !== headers["x-request-id"]) return "names another request";
  if (text.length > LONGEST_PROBLEM) return `${text.length} characters of refusal`;
  const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
  return steering.test(`${String(body["detail"])}${String(body["hint"])}`)
    ? "the sentence holds characters that steer a terminal"
    : undefined;
}
