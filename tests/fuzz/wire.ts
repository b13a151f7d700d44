import { bounded } from "./bounds.ts";
import { addressOf, type Callers } from "./callers.ts";
import type { FuzzRoute } from "./document.ts";
import type { Draft, DraftBody, PathPiece } from "./drafts.ts";
import type { KnownThings } from "./known.ts";
import type { WireRequest } from "./send.ts";
import type { Sketch } from "./values.ts";

type Plain = null | boolean | number | string | Plain[] | { [key: string]: Plain };

/** A request as it is sent, with what the rules want to know of it. */
export interface Prepared extends WireRequest {
  /** The values of the path, before they were encoded. */
  path: Record<string, string>;
  query: [name: string, value: string][];
  /** The body where it is JSON. */
  json: { value: Plain } | undefined;
}

/** What drafts are made real with. */
export interface WireContext {
  known: KnownThings;
  callers: Callers;
  /** Whether another operation that costs something may begin. */
  mayOperate(): boolean;
}

/** Settles what a draft's values stand for, and keeps its effects within bounds. */
export function prepare(draft: Draft, route: FuzzRoute, context: WireContext): Prepared {
  const settle = (value: Sketch) => settled(value, context.known);
  const path: Record<string, string> = {};
  const target = route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const { raw, text } = pieceOf(draft.path[name]!, settle);
    path[name] = text;
    return raw;
  });
  const body = draft.body && "json" in draft.body ? { json: settle(draft.body.json) } : draft.body;
  const json = jsonOf(body);
  const asked = draft.query.map(([name, value]): [string, string] => [name, textOf(settle(value))]);
  const query = bounded(asked, route, { path, json }, context);
  const parts = query.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
  const headers = Object.fromEntries(
    Object.entries(draft.headers).map(([name, value]) => [name, headerText(textOf(settle(value)))]),
  );
  const guesses = draft.caller === "wrong" || "x-api-key" in headers || /session|setup/.test(route.path);
  return {
    method: draft.method,
    target: `${target}${draft.slash && target !== "/" ? "/" : ""}${parts || draft.tail ? `?${parts}${draft.tail}` : ""}`,
    headers: { ...typeOf(body), ...context.callers.headers(draft.caller, draft.variant), ...headers },
    body: body && Buffer.from("json" in body ? JSON.stringify(body.json) : body.text),
    from: addressOf(guesses, draft.variant),
    ...{ path, query, json },
  };
}

function settled(value: Sketch, known: KnownThings): Plain {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item) => settled(item, known));
  if (typeof value["known"] === "string" && typeof value["pick"] === "number")
    return known.resolve(value["known"] as never, value["pick"]);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, settled(item, known)]));
}

function pieceOf(piece: PathPiece, settle: (value: Sketch) => Plain): { raw: string; text: string } {
  if ("raw" in piece) return { raw: piece.raw, text: piece.raw };
  const text = textOf(settle(piece.value));
  return { raw: encode(text), text };
}

/** What a body says, if it is JSON at all. */
function jsonOf(body: { json: Plain } | Exclude<DraftBody, { json: Sketch }> | undefined): Prepared["json"] {
  if (!body || "json" in body) return body && { value: body.json };
  try {
    return { value: JSON.parse(body.text) as Plain };
  } catch {
    return undefined;
  }
}

const textOf = (value: Plain): string => (typeof value === "string" ? value : JSON.stringify(value));

/** Half a pair of a character has no bytes of its own; it goes as the replacement character. */
const encode = (text: string): string => encodeURIComponent(text.toWellFormed());

/** What a header can hold (RFC 9110, 5.5). */
const headerText = (text: string): string => text.replace(/[^\t\u0020-\u007e\u0080-\u00ff]/g, "?");

function typeOf(body: { json: Plain } | Exclude<DraftBody, { json: Sketch }> | undefined): Record<string, string> {
  if (!body) return {};
  if ("json" in body) return { "content-type": "application/json" };
  return body.type === undefined ? {} : { "content-type": body.type };
}
