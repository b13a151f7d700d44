import { HomelabError } from "../core/errors.ts";
import { COMMON_PASSWORDS } from "./common-passwords.ts";

/** Characters as a person counts them. */
const SHORTEST = 8;
export const LONGEST_PASSWORD = 256;

let common: Set<string> | undefined;

/** Why a new password cannot be taken, as one sentence; undefined when it can. No rule about kinds of characters. */
export function passwordFault(password: string, userName: string): string | undefined {
  const { length } = Array.from(password);
  if (length < SHORTEST) return `is too short: ${SHORTEST} characters at least, 15 are better`;
  if (length > LONGEST_PASSWORD) return `is too long: ${LONGEST_PASSWORD} characters at most`;
  const folded = password.normalize("NFKC").toLowerCase();
  if (folded === userName || folded === Array.from(userName).toReversed().join("")) return "is the user's name";
  if (new Set(folded).size === 1) return "is one character again and again";
  common ??= new Set(COMMON_PASSWORDS.split(/\s+/));
  return common.has(folded) ? "is one of those that everybody tries first" : undefined;
}

/** @throws HomelabError `input_invalid` with the field `password`; the password itself is in no sentence */
export function requireGoodPassword(password: string, userName: string): void {
  const fault = passwordFault(password, userName);
  if (!fault) return;
  throw new HomelabError("input_invalid", `this password ${fault}`, {
    hint: "A sentence of four or five words is long, and easy to keep in mind.",
    errors: [{ field: "password", message: fault }],
  });
}
