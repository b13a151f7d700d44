import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";

const derive = promisify(pbkdf2);

/** PostgreSQL's own default (`scram_iterations`), and the minimum of RFC 7677. */
const ITERATIONS = 4096;

/**
 * The SCRAM-SHA-256 verifier of a password, in the form that PostgreSQL stores (pg_authid.rolpassword):
 * the server never sees the password itself, so no log can hold it.
 * Source: RFC 5803 and src/common/scram-common.c `scram_build_secret`. Passwords outside ASCII would need SASLprep
 * and are refused.
 */
export async function scramVerifier(
  password: string,
  salt: Buffer = randomBytes(16),
  iterations = ITERATIONS,
): Promise<string> {
  if (!/^[\x20-\x7e]+$/.test(password)) throw new RangeError("a password must be printable ASCII");
  const salted = await derive(password, salt, iterations, 32, "sha256");
  const clientKey = createHmac("sha256", salted).update("Client Key").digest();
  const storedKey = createHash("sha256").update(clientKey).digest("base64");
  const serverKey = createHmac("sha256", salted).update("Server Key").digest("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}

/** Whether a stored verifier is the one of this password. */
export async function verifies(password: string, stored: string | null): Promise<boolean> {
  const match = /^SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$/.exec(stored ?? "");
  if (!match) return false;
  return (await scramVerifier(password, Buffer.from(match[2]!, "base64"), Number(match[1]))) === stored;
}
