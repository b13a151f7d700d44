import { randomBytes } from "node:crypto";

/** Crockford's base 32: no I, L, O, U. */
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The id of a run: `op_` and a ULID, so ids sort by the time they were made. */
export type RunId = `op_${string}`;

/** Makes the id of a run begun at `at` (milliseconds since the epoch). */
export function newRunId(at: number): RunId {
  let bits = (BigInt(at) << 80n) | BigInt(`0x${randomBytes(10).toString("hex")}`);
  let text = "";
  for (let i = 0; i < 26; i++) {
    text = DIGITS[Number(bits & 31n)] + text;
    bits >>= 5n;
  }
  return `op_${text}`;
}
