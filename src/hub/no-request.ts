import { STATUS_CODES } from "node:http";
import { toProblem } from "../api/problems.ts";
import { HomelabError, type ErrorCode } from "../core/errors.ts";
import { newRequestId } from "../core/ids.ts";

/** What Node's parser gives up on, by its code (Node.js manual, "clientError"), and what is said of it. */
const REASONS: Record<string, [code: ErrorCode, says: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: ["request_timeout", "the request did not come in time"],
  HPE_HEADER_OVERFLOW: ["head_too_large", "the request's line and headers are too long"],
};

/** What the parser tells of it. */
interface ParserError extends NodeJS.ErrnoException {
  /** The bytes in which it stumbled. */
  rawPacket?: Buffer;
}

/** The answer to what never became a request: written by hand, since nothing that makes answers has seen it. */
export function refusalOf({ code = "", rawPacket }: ParserError): string {
  const [ours, says] = REASONS[code] ?? ["request_malformed", "this is no request of HTTP/1.1"];
  const problem = toProblem(new HomelabError(ours, says), { instance: "/", requestId: newRequestId() });
  const body = JSON.stringify(problem);
  const lines = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    "connection: close",
    "content-type: application/problem+json; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${problem.request_id}`,
    "cache-control: no-store",
    "content-security-policy: default-src 'none';frame-ancestors 'none'",
    "referrer-policy: no-referrer",
    "x-content-type-options: nosniff",
    "x-frame-options: DENY",
  ];
  // Whoever asked for the head alone takes what follows it for the next answer.
  const wantsBody = rawPacket?.subarray(0, 5).toString() !== "HEAD ";
  return `${lines.join("\r\n")}\r\n\r\n${wantsBody ? body : ""}`;
}
