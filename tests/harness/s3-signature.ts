import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Why a request is not let in, as S3 calls it. */
export type Refusal = "AccessDenied" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "RequestTimeTooSkewed";

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

/** How far the clocks may differ, in milliseconds (Amazon S3 API reference, RequestTimeTooSkewed). */
const SKEW = 15 * 60_000;

const hmac = (key: Buffer | string, text: string): Buffer => createHmac("sha256", key).update(text).digest();
const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

/** `20261120T160000Z` in milliseconds. */
function momentOf(stamp: string): number {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp) ?? [];
  return Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s));
}

/** The query as it is signed: sorted, and each parameter with its equals sign. */
const canonicalQuery = (query: string): string =>
  query
    .split("&")
    .filter(Boolean)
    .map((part) => (part.includes("=") ? part : `${part}=`))
    .sort()
    .join("&");

/**
 * Checks a request's signature (Amazon S3 API reference, "Authenticating Requests: Using the Authorization Header"):
 * s3rver takes any. Answers why it is refused; undefined when it may pass.
 */
export function refusalOf(request: IncomingMessage, keys: Map<string, string>, now: number): Refusal | undefined {
  const header = (name: string) => String(request.headers[name] ?? "");
  const match = AUTHORIZATION.exec(header("authorization"));
  if (!match) return "AccessDenied";
  const [, key, date, region, names, signature] = match as unknown as [string, string, string, string, string, string];
  const secret = keys.get(key);
  if (secret === undefined) return "InvalidAccessKeyId";
  const stamp = header("x-amz-date");
  if (!(Math.abs(momentOf(stamp) - now) < SKEW)) return "RequestTimeTooSkewed";
  const [path, query = ""] = request.url!.split("?") as [string, string?];
  const signed = names.split(";").map((name) => `${name}:${header(name).trim()}\n`);
  const body = header("x-amz-content-sha256");
  const canonical = [request.method, path, canonicalQuery(query), signed.join(""), names, body].join("\n");
  const scope = `${date}/${region}/s3/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", stamp, scope, digest(canonical)].join("\n");
  const derived = [region, "s3", "aws4_request"].reduce((k, part) => hmac(k, part), hmac(`AWS4${secret}`, date));
  const expected = hmac(derived, text);
  return timingSafeEqual(expected, Buffer.from(signature, "hex")) ? undefined : "SignatureDoesNotMatch";
}
