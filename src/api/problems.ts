import { Detach } from "../operations/runner.ts";
import { errorMessage, errorTable, HomelabError, type ErrorCode } from "../core/errors.ts";
import { printable } from "../core/text.ts";

/** An error as the API answers it (RFC 9457), with members of our own. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  code: ErrorCode;
  hint?: string;
  request_id: string;
  errors?: { field: string; message: string }[];
}

/** Where an error happened. */
export interface ProblemPlace {
  instance: string;
  requestId: string;
}

/** What fastify itself refuses, before a route sees the request (fastify manual, "Errors"). */
const FASTIFY_CODES: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: "body_too_large",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "media_type_unsupported",
  FST_ERR_CTP_EMPTY_JSON_BODY: "request_malformed",
  FST_ERR_CTP_INVALID_JSON_BODY: "request_malformed",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "request_malformed",
  FST_ERR_BAD_URL: "request_malformed",
  FST_ERR_MAX_PARAM_LENGTH: "request_malformed",
};

/** What is wrong on our side is told to the log: a caller must not learn paths, SQL or stacks (faults S33). */
const UNKNOWN = "something went wrong inside; the hub's log has the request's id";

/** Makes anything thrown a problem. Only a HomelabError speaks for itself. */
export function toProblem(error: unknown, { instance, requestId }: ProblemPlace): Problem {
  const known = error instanceof HomelabError ? error : (fromLeaving(error) ?? fromFastify(error));
  const code = known?.code ?? "failed";
  const { status, title } = errorTable[code];
  return {
    type: `urn:homelab:error:${code}`,
    title,
    status,
    detail: known ? lines(known.message) : UNKNOWN,
    instance,
    code,
    ...(known?.hint ? { hint: lines(known.hint) } : {}),
    request_id: requestId,
    ...(known?.errors ? { errors: known.errors } : {}),
  };
}

/** What came in may be part of a sentence, and whoever reads it may read it on a terminal. */
const lines = (text: string): string => text.split("\n").map(printable).join("\n");

/** This hub ends, or leads no more, while somebody waits here for a lock: the next one takes the same request. */
function fromLeaving(error: unknown): HomelabError | undefined {
  if (!(error instanceof Detach)) return undefined;
  return new HomelabError("no_leader", "this hub gives the leadership up", { retryAfterSeconds: 2, cause: error });
}

function fromFastify(error: unknown): HomelabError | undefined {
  const { code, statusCode } = error as { code?: string; statusCode?: number };
  const ours = FASTIFY_CODES[code ?? ""] ?? (statusCode === 400 ? "request_malformed" : undefined);
  // A parser quotes what it stumbled over.
  return ours && new HomelabError(ours, printable(errorMessage(error)).slice(0, 300), { cause: error });
}
