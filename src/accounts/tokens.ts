import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** A secret of 256 random bits that fits into a cookie and a URL. */
export const newToken = (): string => randomBytes(32).toString("base64url");

/** What is kept of a token or a key: it has so many random bits that no slow hash is needed. */
export const hashToken = (token: string): string => createHash("sha256").update(token).digest("hex");

/** Compares two texts by their hashes: equally long, whatever was given, so the comparison takes equally long too. */
export function isSameSecret(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash("sha256").update(text).digest());
  return timingSafeEqual(a!, b!);
}

/** Compares a given secret with a stored hash of one. */
export const matchesHash = (given: string, storedHash: string): boolean => isSameSecret(hashToken(given), storedHash);
