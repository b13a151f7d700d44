import { randomBytes } from "node:crypto";

/** Crockford's base 32: no I, L, O, U. */
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The id of a run: `op_` and a ULID, so ids sort by the time they were made. */
export type RunId = `op_${string}`;

/** The 128 bits of a UUID of version 7 (RFC 9562, 5.7): 48 of time, the rest random, apart from version and variant. */
function timedBits(at: number): bigint {
  const random = BigInt(`0x${randomBytes(10).toString("hex")}`);
  return (
    (BigInt(at) << 80n) | (0x7n << 76n) | ((random >> 68n) << 64n) | (0b10n << 62n) | (random & ((1n << 62n) - 1n))
  );
}

/** 128 bits as a ULID writes them: 26 digits, the first of them 7 at most. */
function ulid(bits: bigint): string {
  let text = "";
  for (let i = 0; i < 26; i++) {
    text = DIGITS[Number(bits & 31n)] + text;
    bits >>= 5n;
  }
  return text;
}

/** 128 bits as a UUID is written. */
function uuid(bits: bigint): string {
  const hex = bits.toString(16).padStart(32, "0");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Makes the id of a run begun at `at` (milliseconds since the epoch): a UUIDv7's bits, shown as a ULID. */
export function newRunId(at: number): RunId {
  return `op_${ulid(timedBits(at))}`;
}

/** Makes a UUID of version 7: it sorts by time. */
export function uuidv7(at: number): string {
  return uuid(timedBits(at));
}

/** Whether a text is the id of a run. */
export const isRunId = (text: string): text is RunId => /^op_[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text);

/** The same 128 bits as a UUID, as the platform database keeps them. */
export function runIdToUuid(id: RunId): string {
  let bits = 0n;
  for (const digit of id.slice("op_".length)) bits = (bits << 5n) | BigInt(DIGITS.indexOf(digit));
  return uuid(bits);
}

/** The id of the run that has these bits. */
export function uuidToRunId(text: string): RunId {
  return `op_${ulid(BigInt(`0x${text.replaceAll("-", "")}`))}`;
}

const processId = randomBytes(6).toString("base64url");
let requests = 0;

/** The id of one request: in its answer, in the access log and in the audit log. It is no secret, and made for each. */
export const newRequestId = (): string => `req_${processId}_${(requests += 1).toString(36)}`;
