import type { Repository } from "../../config/storage.ts";
import { printable } from "../../core/text.ts";

/** What is the matter with a repository, in words for a person, and what can be done. */
export interface Trouble {
  says: string;
  hint: string;
}

/** What can be the matter. The same sentences for what pgBackRest says, and for what we meet ourselves. */
export type Fault =
  | "name-unknown"
  | "refused"
  | "no-answer"
  | "certificate-expired"
  | "certificate-unknown"
  | "certificate-other-name"
  | "no-tls"
  | "signature"
  | "key-unknown"
  | "not-allowed"
  | "bucket-missing"
  | "region"
  | "clock"
  | "server-broken"
  | "full"
  | "read-only"
  | "closed"
  | "path-missing"
  | "disk-broken"
  | "stanza-missing"
  | "passphrase"
  | "other-cluster"
  | "locked"
  | "segment-differs"
  | "wal-late";

/** Whom it is about; without a number it is no repository yet. */
type About = Pick<Repository, "name" | "type"> &
  Partial<{ number: number; path: string; endpoint: string; port: number; bucket: string }>;

const server = ({ endpoint, port }: About): string => `${endpoint ?? "the server"}${port ? `:${port}` : ""}`;
const folder = ({ path }: About): string => path ?? "its folder";
const isNew = ({ number }: About): boolean => number === undefined;
const again = (at: About): string => (isNew(at) ? "" : ` homelab storage test ${at.name} tries it again.`);
const anotherKey = (at: About): string =>
  isNew(at) ? "" : ` Then homelab storage remove ${at.name}, and add it with the right one: its backups stay.`;
const anew = ({ name }: About): string =>
  `homelab up prepares it anew, and homelab db backup full --repository ${name} makes its first backup.`;

const SENTENCES: Record<Fault, (about: About) => Trouble> = {
  "name-unknown": (at) => ({
    says: `the name ${at.endpoint ?? "of its server"} is not known`,
    hint: `Is it written as it should be, and does this machine's DNS know it?${again(at)}`,
  }),
  refused: (at) => ({
    says: `${server(at)} refuses connections: nothing listens there`,
    hint: `Is the server running, and is the port right?${again(at)}`,
  }),
  "no-answer": (at) => ({
    says: at.type === "disk" ? `${folder(at)} does not answer` : `${server(at)} does not answer in time`,
    hint: `Is it on, and does a firewall stand between?${again(at)}`,
  }),
  "certificate-expired": (at) => ({
    says: `the TLS certificate of ${server(at)} has expired`,
    hint: `Renew it on that server.${again(at)}`,
  }),
  "certificate-unknown": (at) => ({
    says: `the TLS certificate of ${server(at)} comes from a CA that is not known here`,
    hint: "Name that CA's certificate when the repository is added: homelab storage add s3 … --ca-file ca.crt",
  }),
  "certificate-other-name": (at) => ({
    says: `the TLS certificate of ${server(at)} is for another name`,
    hint: "Use the name that is in the certificate as --endpoint, or issue one that holds this name.",
  }),
  "no-tls": (at) => ({
    says: `${server(at)} does not speak TLS`,
    hint: "Backups go over https alone: turn TLS on there, or put a proxy with a certificate before it.",
  }),
  signature: (at) => ({
    says: `${server(at)} refuses the secret key: the signature does not match (SignatureDoesNotMatch)`,
    hint: `Is the secret the one of this key, and the region right?${anotherKey(at)}`,
  }),
  "key-unknown": (at) => ({
    says: `${server(at)} does not know the access key (InvalidAccessKeyId)`,
    hint: `Is it written as it should be, or was it revoked?${anotherKey(at)}`,
  }),
  "not-allowed": (at) => ({
    says: `the key may not do this in the bucket ${at.bucket ?? "of the repository"} (AccessDenied)`,
    hint: "It must be allowed to list the bucket, and to get, put and delete objects below the path.",
  }),
  "bucket-missing": (at) => ({
    says: `there is no bucket ${at.bucket ?? "of that name"} at ${server(at)} (NoSuchBucket)`,
    hint: `Make the bucket there: homelab never does.${isNew(at) ? "" : ` If it was lost with its backups, ${anew(at)}`}`,
  }),
  region: (at) => ({
    says: `the bucket ${at.bucket ?? "of the repository"} is in another region`,
    hint: "Name the region that the server tells: homelab storage add s3 … --region",
  }),
  clock: (at) => ({
    says: `the clocks of this machine and of ${server(at)} differ by too much (RequestTimeTooSkewed)`,
    hint: "Let both take their time from NTP (timedatectl set-ntp true).",
  }),
  "server-broken": (at) => ({
    says: `${server(at)} fails by itself`,
    hint: `Its own log tells why.${again(at)}`,
  }),
  full: (at) => ({
    says: at.type === "disk" ? `the disk of ${folder(at)} is full` : `the store behind ${server(at)} is full`,
    hint: "Make room there, or lower database.backup_retention_full. WAL waits on this machine until there is room.",
  }),
  "read-only": (at) => ({
    says: `${folder(at)} is mounted read-only`,
    hint: "The kernel does that to a disk with errors: dmesg tells. Mount it so that it can be written.",
  }),
  closed: (at) => ({
    says: `${folder(at)} may not be written by the user that homelab runs as`,
    hint: "Give the folder to that user: chown -R homelab: FOLDER, or for a home of your own to yourself.",
  }),
  "path-missing": (at) => ({
    says: `${folder(at)} is not there`,
    hint: "Is its disk mounted?",
  }),
  "disk-broken": (at) => ({
    says: `the disk of ${folder(at)} reports errors when it is read or written`,
    hint: "dmesg and smartctl tell more. Take another disk: homelab storage add disk",
  }),
  "stanza-missing": (at) => ({
    says: "it is empty: it knows nothing of this cluster",
    hint: `${at.type === "disk" ? "Is its disk mounted? " : ""}If what was there is lost, ${anew(at)}`,
  }),
  passphrase: () => ({
    says: "what is there cannot be decrypted with the passphrase of storage.json, or it is damaged",
    hint: "Put the right cipher_pass back from a copy of storage.json or the recovery kit, then homelab up. Without it those backups cannot be read.",
  }),
  "other-cluster": () => ({
    says: "it holds the backups of another cluster",
    hint: "Take another path for this one: two clusters never share one.",
  }),
  locked: () => ({
    says: "another pgBackRest is at it",
    hint: "It ends by itself; homelab op list shows what goes on.",
  }),
  "segment-differs": () => ({
    says: "it has a segment of WAL of the same name with other contents",
    hint: "Does another cluster, or a copy of this one, write there? Take another path for one of them.",
  }),
  "wal-late": () => ({
    says: "the WAL that belongs to it did not arrive there in time",
    hint: "homelab status and homelab health say what archiving waits for.",
  }),
};

/** The sentence of a fault. */
export const sentenceOf = (fault: Fault, about: About): Trouble => SENTENCES[fault](about);

/**
 * What pgBackRest writes (2.45, as far as a comment says otherwise), and what of it is meant. The first that is found
 * counts: an error of S3 comes with the whole request.
 */
const WORDS: [RegExp, Fault][] = [
  [/<Code>SignatureDoesNotMatch/, "signature"],
  [/<Code>InvalidAccessKeyId/, "key-unknown"],
  [/<Code>NoSuchBucket/, "bucket-missing"],
  [/<Code>RequestTimeTooSkewed/, "clock"],
  [/<Code>(PermanentRedirect|AuthorizationHeaderMalformed|IncorrectEndpoint)/, "region"],
  [/<Code>(QuotaExceeded|XMinioStorageFull|InsufficientStorage|EntityTooLarge)|request failed with 507/, "full"],
  [/<Code>(AccessDenied|AllAccessDisabled)|request failed with 40[13]/, "not-allowed"],
  [/unable to get address for|Name or service not known|Temporary failure in name resolution/, "name-unknown"],
  [/certificate has expired/, "certificate-expired"],
  [/unable to find hostname '.*' in certificate/, "certificate-other-name"],
  [
    /unable to verify certificate presented by|self[- ]signed certificate|local issuer certificate/,
    "certificate-unknown",
  ],
  [/wrong version number|unknown protocol|packet length too long/, "no-tls"],
  [/Connection refused/, "refused"],
  [/No space left on device|Disk quota exceeded/, "full"],
  [/Read-only file system/, "read-only"],
  [/Input\/output error/, "disk-broken"],
  [/Not a directory/, "path-missing"],
  [/Permission denied/, "closed"],
  [
    /cipher header invalid|unable to flush|is or was the repo encrypted|\bCryptoError\b|\[095\]|\bFormatError\b|\[025\]/i,
    "passphrase",
  ],
  [/do not match the database|system-identifier|is this the correct stanza/, "other-cluster"],
  [/already exists in the (repo\d+ )?archive with a different checksum/, "segment-differs"],
  [/unable to acquire lock/, "locked"],
  [/was not archived before the \d+ms timeout/, "wal-late"],
  [/request failed with 5\d\d/, "server-broken"],
  [
    /timeout|timed out|was ended after|No route to host|Network is unreachable|Connection reset|unexpected eof/i,
    "no-answer",
  ],
  // Every refusal to load archive.info asks whether there is a stanza: the reason stands before.
  [
    /missing stanza|archive\.info.*(missing|not exist|unable to (load|open))|has a stanza-create been performed/s,
    "stanza-missing",
  ],
];

/** What is the matter, as far as a text of pgBackRest tells; undefined for what is not known. */
export const faultIn = (text: string): Fault | undefined => WORDS.find(([pattern]) => pattern.test(text))?.[1];

/** The first sentence of an error of pgBackRest, without the program, its codes and the stack of a request. */
function bareSentence(text: string): string {
  const said = /ERROR: \[\d+\]: (?:raised from [^:]*: )?(.*)/.exec(text)?.[1] ?? text;
  return printable(
    said
      .split("\n")
      .find((line) => line.trim() !== "")
      ?.trim() ?? "",
  ).slice(0, 300);
}

/** What pgBackRest said of a repository, in words for a person. */
export function troubleOf(text: string, about: About): Trouble {
  const fault = faultIn(text);
  if (fault) return sentenceOf(fault, about);
  return {
    says: bareSentence(text) || "it cannot be read",
    hint: `homelab logs pgbackrest tells more.${again(about)}`,
  };
}
