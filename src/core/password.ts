import { randomInt } from "node:crypto";

/** No character that a URL, a shell, an ini file or a tired eye would mistake: RFC 3986 unreserved, without look-alikes. */
const ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";

/** A password of `length` characters (32: about 186 bits) from the safe alphabet, from the system's random source. */
export function generatePassword(length = 32): string {
  let password = "";
  for (let i = 0; i < length; i++) password += ALPHABET[randomInt(ALPHABET.length)];
  return password;
}
