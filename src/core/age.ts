import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from "node:crypto";
import { armoured, bytesOfArmour, isArmoured } from "./age-armour.ts";
import type { Secret } from "./secret.ts";

/**
 * Files in the format of age, sealed with a passphrase (https://c2sp.org/age): anybody opens them with `age -d`, with
 * nothing of ours. What age calls an scrypt recipient is all that there is here. The primitives are Node's own.
 */

/** Why a file was not opened. */
export class AgeError extends Error {
  /** `passphrase`: it is the wrong one, or the lines that it is tried on are damaged; `format`: not a file of this kind. */
  readonly reason: "format" | "passphrase" | "damaged";

  constructor(reason: AgeError["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** scrypt's cost as a power of two: 2^17 takes 128 MiB and some tenths of a second (OWASP, "Password Storage"). */
const WORK = 17;

/** What a file may ask of us: 2^20 would take 1 GiB. */
const MOST_WORK = 20;

const VERSION = "age-encryption.org/v1";
const CHUNK = 64 * 1024;
const TAG = 16;
const HEADER_BYTES = 1000;

/** Seals a text, and answers a text of printable lines. Takes some tenths of a second. */
export async function sealWithPassphrase(text: string, passphrase: Secret, work = WORK): Promise<string> {
  const fileKey = randomBytes(16);
  const salt = randomBytes(16);
  const wrapped = encrypt(await wrapKey(passphrase, salt, work), Buffer.alloc(12), fileKey);
  const head = `${VERSION}\n-> scrypt ${base64(salt)} ${work}\n${base64(wrapped)}\n---`;
  const header = `${head} ${base64(macOf(fileKey, head))}\n`;
  return armoured(Buffer.concat([Buffer.from(header), sealPayload(fileKey, Buffer.from(text))]));
}

/** Opens what `sealWithPassphrase`, or age itself, has sealed. @throws AgeError */
export async function openWithPassphrase(sealed: Buffer, passphrase: Secret): Promise<string> {
  const file = isArmoured(sealed) ? bytesOfArmour(sealed.toString("latin1")) : sealed;
  if (!file) throw new AgeError("damaged", "its lines are not as they were written");
  const header = readHeader(file);
  const key = await wrapKey(passphrase, header.salt, header.work);
  const fileKey = decrypt(key, Buffer.alloc(12), header.wrapped);
  if (!fileKey) throw new AgeError("passphrase", "the passphrase does not open it");
  const mac = macOf(fileKey, header.head);
  if (mac.length !== header.mac.length || !timingSafeEqual(mac, header.mac))
    throw new AgeError("damaged", "its header was changed");
  return openPayload(fileKey, file.subarray(header.bytes)).toString("utf8");
}

interface Header {
  /** What its code is made of: everything up to the three hyphens. */
  head: string;
  salt: Buffer;
  work: number;
  wrapped: Buffer;
  mac: Buffer;
  bytes: number;
}

const HEADER =
  /^(age-encryption\.org\/v1\n-> scrypt ([A-Za-z0-9+/]{22}) ([1-9]\d?)\n([A-Za-z0-9+/]{43})\n---) ([A-Za-z0-9+/]{43})\n/;

function readHeader(file: Buffer): Header {
  const start = file.subarray(0, HEADER_BYTES).toString("latin1");
  const [whole, head, salt, work, wrapped, mac] = HEADER.exec(start) ?? [];
  if (whole === undefined) {
    if (start.startsWith(VERSION)) throw new AgeError("format", "it is sealed for a key, not with a passphrase");
    throw new AgeError("format", "it is no file of age");
  }
  if (Number(work) > MOST_WORK) throw new AgeError("format", `it asks for 2^${work} of work, more than anybody sets`);
  const bytes = (text: string | undefined) => {
    const read = Buffer.from(text!, "base64");
    // Its last bits count too: there is one way to write each.
    if (base64(read) !== text) throw new AgeError("damaged", "its header was changed");
    return read;
  };
  return {
    head: head!,
    salt: bytes(salt),
    work: Number(work),
    wrapped: bytes(wrapped),
    mac: bytes(mac),
    bytes: whole.length,
  };
}

/** The key that the passphrase stands for. It is made beside this thread. */
function wrapKey(passphrase: Secret, salt: Buffer, work: number): Promise<Buffer> {
  const N = 2 ** work;
  const labelled = Buffer.concat([Buffer.from(`${VERSION}/scrypt`), salt]);
  const options = { N, r: 8, p: 1, maxmem: 128 * N * 8 + 1024 * 1024 };
  return new Promise((resolve, reject) => {
    scrypt(passphrase.reveal(), labelled, 32, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

const derive = (key: Buffer, salt: Buffer, info: string): Buffer =>
  Buffer.from(hkdfSync("sha256", key, salt, info, 32));

const macOf = (fileKey: Buffer, head: string): Buffer =>
  createHmac("sha256", derive(fileKey, Buffer.alloc(0), "header"))
    .update(head, "latin1")
    .digest();

/** Eleven bytes count the chunks, the twelfth tells the last one: none can be left out, moved or added. */
function nonceOf(index: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(index, 5, 6);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

function sealPayload(fileKey: Buffer, text: Buffer): Buffer {
  const nonce = randomBytes(16);
  const key = derive(fileKey, nonce, "payload");
  const count = Math.max(1, Math.ceil(text.length / CHUNK));
  const chunks = Array.from({ length: count }, (_, i) =>
    encrypt(key, nonceOf(i, i === count - 1), text.subarray(i * CHUNK, (i + 1) * CHUNK)),
  );
  return Buffer.concat([nonce, ...chunks]);
}

function openPayload(fileKey: Buffer, payload: Buffer): Buffer {
  const nonce = payload.subarray(0, 16);
  const body = payload.subarray(16);
  const key = derive(fileKey, nonce, "payload");
  const count = Math.max(1, Math.ceil(body.length / (CHUNK + TAG)));
  const chunks = Array.from({ length: count }, (_, i) => {
    const sealed = body.subarray(i * (CHUNK + TAG), (i + 1) * (CHUNK + TAG));
    const text = decrypt(key, nonceOf(i, i === count - 1), sealed);
    if (!text) throw new AgeError("damaged", "a part of it was changed, or is missing");
    return text;
  });
  return Buffer.concat(chunks);
}

function encrypt(key: Buffer, nonce: Buffer, text: Buffer): Buffer {
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG });
  return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined for what was sealed with another key, or changed since. */
function decrypt(key: Buffer, nonce: Buffer, sealed: Buffer): Buffer | undefined {
  if (sealed.length < TAG) return undefined;
  const decipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG });
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - TAG)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** Without padding, as age's header has it. */
const base64 = (bytes: Buffer): string => bytes.toString("base64").replace(/=+$/, "");
