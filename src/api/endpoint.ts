import { z } from "zod";
import type { Scope } from "../core/scope.ts";

/** What one route takes and answers. The server checks requests by it, the document and the clients' types come from it. */
export interface Endpoint {
  summary: string;
  /** The heading under which the document lists it. */
  tag: string;
  /** What the caller's key or role must allow; null for a route that is open to everybody. */
  scope: Scope | null;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** Instead of a JSON body: bytes that the handler reads as they come, as many as there is room for. */
  takes?: typeof BYTES;
  /** What it answers, by status; null for an answer without JSON. Problems come on top. */
  answers: Record<number, z.ZodType | null>;
  /** What an answer without JSON is. */
  produces?: string;
  /** From a browser it needs a password that was given lately: a cookie alone may be anybody's (faults S25). */
  proven?: true;
  /** A change that every hub makes by itself; the others are the leader's. */
  anywhere?: true;
  /** A change that is made at once: its name in the audit log, and with `dry_run` all that is done. */
  change?: `${string}.${string}`;
  /** What serves it writes the audit log itself, with what was there before and after. */
  auditsItself?: true;
}

/** The media type of what is no text. */
export const BYTES = "application/octet-stream";

/** Routes by method and path: `GET /api/databases/{name}`. */
export type Contract = Record<`${"GET" | "POST" | "PATCH" | "DELETE"} /${string}`, Endpoint>;

type Output<T> = T extends z.ZodType ? z.output<T> : undefined;

/** What a caller sends, checked. */
export interface Input<E extends Endpoint> {
  params: Output<E["params"]>;
  query: Output<E["query"]>;
  body: Output<E["body"]>;
}

/** One of the answers that the endpoint declares. */
export type Answer<E extends Endpoint> = {
  [Status in keyof E["answers"] & number]: {
    status: Status;
    body: E["answers"][Status] extends z.ZodType ? z.input<E["answers"][Status]> : undefined;
    headers?: Record<string, string>;
  };
}[keyof E["answers"] & number];

/** A moment, in RFC 3339. */
export const instant = z.iso.datetime({ offset: true });

/** A number in an address, written as JSON writes one: JavaScript would take nothing for zero, and 0x10 for sixteen. */
export const inAddress = <T extends z.ZodType>(schema: T) =>
  z.preprocess(
    (text) => (typeof text === "string" && /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : text),
    schema,
  );

/** The parameters of a list. */
export const pageQuery = z.strictObject({
  limit: inAddress(z.int().min(1).max(1000).default(100).describe("At most so many items")),
  cursor: z.string().max(300).optional().describe("next_cursor of the page before"),
  sort: z
    .string()
    .regex(/^-?[a-z_]{1,40}$/)
    .optional()
    .describe("A field's name; with a hyphen before it, the other way round"),
});

export type PageQuery = z.output<typeof pageQuery>;

/** One page of a list. */
export const page = <T extends z.ZodType>(item: T) =>
  z.strictObject({ items: z.array(item), next_cursor: z.string().nullable(), total: z.int() });

/** The same, where what is listed may be older than the question: then it says how old, and why. */
export const observedPage = <T extends z.ZodType>(item: T) =>
  z.strictObject({
    items: z.array(item),
    next_cursor: z.string().nullable(),
    total: z.int(),
    observed_at: instant,
    stale: z.boolean(),
  });

/** For every unsafe route: the plan instead of the change. */
export const unsafeQuery = z.strictObject({
  dry_run: z
    .enum(["true", "false"])
    .default("false")
    .transform((text) => text === "true")
    .describe("Answer with what would be done, and do nothing"),
});

/** The same for routes that answer with an operation. */
export const operationQuery = unsafeQuery.extend({
  wait: inAddress(z.number().min(0).max(300).default(0).describe("Seconds to wait for the end before answering")),
});

/** What a dry run answers. */
export const plan = z
  .strictObject({
    operation: z.string(),
    dry_run: z.literal(true),
    steps: z.array(z.strictObject({ step: z.string(), effect: z.enum(["run", "skip", "unknown"]), says: z.string() })),
  })
  .meta({ id: "Plan" });

/** RFC 9457, with our own members. */
export const problem = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string(),
  code: z.string(),
  hint: z.string().optional(),
  request_id: z.string(),
  errors: z.array(z.strictObject({ field: z.string(), message: z.string() })).optional(),
});
