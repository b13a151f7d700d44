import { z } from "zod";
import { generatePassword } from "../core/password.ts";
import { Secret } from "../core/secret.ts";

/** The longest that pgBackRest takes: repo1 to repo4 of its manual. */
export const MOST_REPOSITORIES = 4;

export const repositoryName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,30}$/, "expected lower-case letters, digits and hyphens, a letter first");

const repositoryFields = {
  /** pgBackRest's number: repo1, repo2, … */
  number: z.int().min(1).max(MOST_REPOSITORIES),
  name: repositoryName,
  /** Null: not encrypted. Once it has backups, it cannot be changed. */
  cipher_pass: z.string().min(1).nullable(),
};

const diskRepository = z.strictObject({ ...repositoryFields, type: z.literal("disk"), path: z.string().min(1) });

/** One line of an ini file. */
const line = z.string().regex(/^[^\u0000-\u001f\u007f]{1,500}$/, "expected one line of text");

/** How an S3-compatible server is reached; pgBackRest speaks https alone. */
export const s3Place = z.strictObject({
  endpoint: z.string().regex(/^[A-Za-z0-9.-]{1,253}$/, "expected a host name or an address, without https:// and port"),
  port: z.int().min(1).max(65535).default(443),
  bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "expected the name of a bucket"),
  path: z
    .string()
    .regex(/^\/[A-Za-z0-9._/-]{0,200}$/, "expected a path that begins with /")
    .default("/homelab"),
  region: line.default("us-east-1"),
  uri_style: z.enum(["path", "host"]).default("path"),
  key: line,
  key_secret: line,
  /** The CA's certificate in PEM, where the server's is not one of the system's. */
  ca: z
    .string()
    .max(100_000)
    .regex(/^-----BEGIN CERTIFICATE-----/, "expected a certificate in PEM")
    .nullable()
    .default(null),
});

const s3Repository = z.strictObject({ ...repositoryFields, type: z.literal("s3"), ...s3Place.shape });

const formerPlace = z.strictObject({ place: z.string(), cipher_pass: z.string().min(1).nullable() });

const storageSchema = z.strictObject({
  repositories: z.array(z.union([diskRepository, s3Repository])).min(1),
  former: z.array(formerPlace).optional(),
});

type Closed<R> = Omit<R, "cipher_pass" | "key_secret"> & { cipher_pass: Secret | null };
export type DiskRepository = Closed<z.infer<typeof diskRepository>>;
export type S3Repository = Closed<z.infer<typeof s3Repository>> & { key_secret: Secret };

/** A place where backups and WAL are kept. */
export type Repository = DiskRepository | S3Repository;

/** A place that was one of ours: what lies there stays, and can be read only with its passphrase. */
interface FormerPlace {
  place: string;
  cipher_pass: Secret | null;
}

/** The installation's places, in the order of their numbers. */
export interface Storage {
  repositories: Repository[];
  /** Places with a passphrase of ours that are not in use: given up, or about to be taken into use. */
  former?: FormerPlace[];
}

/** Reads the storage file. @throws ZodError when somebody broke it */
export function readStorage(stored: unknown): Storage {
  const { repositories, former } = storageSchema.parse(stored);
  const secretOf = (text: string | null) => (text === null ? null : new Secret(text));
  const close = (each: (typeof repositories)[number]): Repository => {
    const cipher_pass = secretOf(each.cipher_pass);
    return each.type === "disk"
      ? { ...each, cipher_pass }
      : { ...each, cipher_pass, key_secret: new Secret(each.key_secret) };
  };
  return {
    repositories: repositories.map(close).sort((a, b) => a.number - b.number),
    ...(former ? { former: former.map((each) => ({ ...each, cipher_pass: secretOf(each.cipher_pass) })) } : {}),
  };
}

/** The text of the storage file (0600). */
export function storageText({ repositories, former }: Storage): string {
  const open = repositories.map((each) => ({
    ...each,
    cipher_pass: each.cipher_pass?.reveal() ?? null,
    ...(each.type === "s3" ? { key_secret: each.key_secret.reveal() } : {}),
  }));
  const kept = former?.map((each) => ({ ...each, cipher_pass: each.cipher_pass?.reveal() ?? null }));
  return `${JSON.stringify({ repositories: open, former: kept }, null, 2)}\n`;
}

type Place =
  | Pick<DiskRepository, "type" | "path">
  | Pick<S3Repository, "type" | "endpoint" | "port" | "bucket" | "path">;

/** Where a repository is, in one word: what two that are the same have in common. */
export const placeOf = (place: Place): string =>
  place.type === "disk" ? place.path : `s3://${place.endpoint}:${place.port}/${place.bucket}${place.path}`;

/** The lowest of pgBackRest's numbers that nothing has; undefined when all are taken. */
export const freeNumber = ({ repositories }: Storage): number | undefined =>
  Array.from({ length: MOST_REPOSITORIES }, (_, i) => i + 1).find((n) => !repositories.some((r) => r.number === n));

/** The storage with a passphrase noted for a place. */
export const withFormer = (storage: Storage, place: string, cipher_pass: Secret | null): Storage => ({
  ...storage,
  former: [...(storage.former ?? []).filter((each) => each.place !== place), { place, cipher_pass }],
});

/** The storage with one repository more; its passphrase is noted there alone. */
export const withRepository = (storage: Storage, repository: Repository): Storage => ({
  repositories: [...storage.repositories, repository].sort((a, b) => a.number - b.number),
  former: storage.former?.filter(({ place }) => place !== placeOf(repository)),
});

/** The storage without a repository, whose passphrase stays: what lies there is worth nothing without it. */
export function withoutRepository(storage: Storage, name: string): Storage {
  const gone = storage.repositories.find((each) => each.name === name);
  if (!gone) return storage;
  const repositories = storage.repositories.filter((each) => each !== gone);
  return withFormer({ ...storage, repositories }, placeOf(gone), gone.cipher_pass);
}

/** What an installation begins with: one repository on its own disk. */
export const localStorage = (path: string, encrypt: boolean): Storage => ({
  repositories: [
    { number: 1, name: "local", type: "disk", path, cipher_pass: encrypt ? new Secret(generatePassword(48)) : null },
  ],
});
