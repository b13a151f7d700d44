import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import type { Secret } from "../core/secret.ts";

/** OpenSSL's own: `openssl enc -d -aes-256-cbc -pbkdf2 -iter 100000` opens such a file without us. */
const MAGIC = Buffer.from("Salted__");
const ROUNDS = 100_000;

/** The code over a stored file: nobody without the passphrase can make one that fits. Without one it finds mere damage. */
export const macOf = (pass: Secret | null) =>
  pass === null
    ? createHash("sha256")
    : createHmac("sha256", Buffer.from(hkdfSync("sha256", pass.reveal(), "", "homelab dump", 32)));

async function keyFor(pass: Secret, salt: Uint8Array): Promise<{ key: Buffer; iv: Buffer }> {
  const bytes = await promisify(pbkdf2)(pass.reveal(), salt, ROUNDS, 48, "sha256");
  return { key: bytes.subarray(0, 32), iv: bytes.subarray(32) };
}

/** As the repository is encrypted, in a form that openssl opens. */
export async function* encrypt(source: AsyncIterable<Uint8Array>, pass: Secret): AsyncGenerator<Uint8Array> {
  const salt = randomBytes(8);
  const { key, iv } = await keyFor(pass, salt);
  const cipher = createCipheriv("aes-256-cbc", key, iv);
  yield Buffer.concat([MAGIC, salt]);
  for await (const chunk of source) yield cipher.update(chunk);
  yield cipher.final();
}

/** Back again. @throws when it ends in the middle, or with another passphrase */
export async function* decrypt(source: AsyncIterable<Uint8Array>, pass: Secret): AsyncGenerator<Uint8Array> {
  let head: Buffer = Buffer.alloc(0);
  let decipher: ReturnType<typeof createDecipheriv> | undefined;
  for await (const chunk of source) {
    if (decipher) {
      yield decipher.update(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < 16) continue;
    const { key, iv } = await keyFor(pass, head.subarray(8, 16));
    decipher = createDecipheriv("aes-256-cbc", key, iv);
    yield decipher.update(head.subarray(16));
  }
  if (decipher) yield decipher.final();
}
