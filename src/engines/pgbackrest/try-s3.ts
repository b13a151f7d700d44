import { randomBytes } from "node:crypto";
import { errorMessage, HomelabError } from "../../core/errors.ts";
import { s3Client, type S3Place } from "./s3-client.ts";
import { faultIn, sentenceOf, type Fault } from "./trouble.ts";

/** Whether what is deleted in a bucket can be had back; null where the server does not tell. */
export type Versioning = "on" | "off" | null;

/** What Node calls what can go wrong on the way to a server (Node's manual, "Errors"; openssl-verify(1)). */
const CODES: Record<string, Fault> = {
  ENOTFOUND: "name-unknown",
  EAI_AGAIN: "name-unknown",
  ECONNREFUSED: "refused",
  ETIMEDOUT: "no-answer",
  ECONNRESET: "no-answer",
  EHOSTUNREACH: "no-answer",
  ENETUNREACH: "no-answer",
  CERT_HAS_EXPIRED: "certificate-expired",
  CERT_NOT_YET_VALID: "clock",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate-unknown",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate-unknown",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate-unknown",
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate-unknown",
  CERT_SIGNATURE_FAILURE: "certificate-unknown",
  ERR_TLS_CERT_ALTNAME_INVALID: "certificate-other-name",
  EPROTO: "no-tls",
  ERR_SSL_WRONG_VERSION_NUMBER: "no-tls",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "no-tls",
};

interface ServiceError {
  code?: string;
  status?: number;
  /** What the server wrote: XML with a code in it. */
  body?: string;
  cause?: unknown;
}

/** What is the matter with a server, by the error of a request to it; undefined for what is not known. */
export function faultOfS3(error: unknown): Fault | undefined {
  const { code, status, body, cause } = error as ServiceError;
  const known = code ? CODES[code] : undefined;
  if (known) return known;
  if (status) {
    const inBody = faultIn(body ?? "") ?? faultIn(`<Code>${code ?? ""}`);
    return inBody ?? faultIn(`request failed with ${status}`) ?? (status === 404 ? "bucket-missing" : undefined);
  }
  return cause === undefined ? undefined : faultOfS3(cause);
}

/** What each thing that was tried is called, should it be refused. */
type Doing = "put" | "read" | "list" | "delete" | "ask";

const WORDS: Record<Doing, string> = {
  put: "an object could not be written",
  read: "an object that was written could not be read",
  list: "the bucket could not be listed",
  delete: "an object that was written could not be deleted, and pgBackRest must be able to: old backups would never go",
  ask: "the bucket could not be asked",
};

async function doing<T>(place: S3Place, what: Doing, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const fault = faultOfS3(cause);
    const { says, hint } = fault
      ? sentenceOf(fault, place)
      : { says: errorMessage(cause), hint: "Is it a server that speaks S3?" };
    // On the way there it does not matter what for.
    const isOfTheServer = !fault || ["not-allowed", "full", "server-broken"].includes(fault);
    throw new HomelabError("storage_unusable", isOfTheServer ? `${WORDS[what]}: ${says}` : says, { hint, cause });
  }
}

/** Something was written and is not there again. */
const notBack = (says: string): HomelabError =>
  new HomelabError("storage_unusable", says, { hint: "Such a server would lose backups: take another." });

/**
 * Does below the path all that pgBackRest does there: writes, reads, lists and deletes an object.
 * @throws HomelabError `storage_unusable`, with what is the matter
 */
export async function tryS3(place: S3Place): Promise<{ versioning: Versioning }> {
  const client = s3Client(place);
  const folder = `${place.path.replace(/^\/+|\/+$/g, "")}/`.replace(/^\/$/, "");
  const token = randomBytes(12).toString("hex");
  const key = `${folder}homelab-test-${token}`;
  // In this order: a refused listing or reading alone must not leave the object behind.
  await doing(place, "put", client.putObject(key, token, "text/plain"));
  try {
    const read = await doing(place, "read", client.getObject(key));
    if (read !== token) throw notBack("what was written came back as something else");
    const listed = await doing(place, "list", client.listObjects("/", key, 10));
    if (!listed?.some((each) => each.Key === key)) throw notBack("an object that was written is not in the list");
  } catch (error) {
    await client.deleteObject(key).catch(() => {});
    throw error;
  }
  await doing(place, "delete", client.deleteObject(key));
  const left = await doing(place, "read", client.getObject(key));
  if (left !== null) throw notBack("an object that was deleted is still there");
  return { versioning: await versioningOf(place) };
}

/** Many a server does not know the question, and many a key may not ask it. */
async function versioningOf(place: S3Place): Promise<Versioning> {
  try {
    return (await s3Client(place).getBucketVersioning()) === "Enabled" ? "on" : "off";
  } catch {
    return null;
  }
}
