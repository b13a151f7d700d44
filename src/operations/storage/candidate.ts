import {
  s3Place,
  freeNumber,
  MOST_REPOSITORIES,
  placeOf,
  type Repository,
  type Storage,
} from "../../config/storage.ts";
import { HomelabError } from "../../core/errors.ts";
import { readKeys } from "../../site/storage-keys.ts";
import type { Site } from "../../site/site.ts";
import type { AddInput } from "./add-input.ts";

type Omitted = "number" | "cipher_pass";
/** A repository before it has a number and a passphrase. */
export type Candidate = { [Kind in Repository as Kind["type"]]: Omit<Kind, Omitted> }[Repository["type"]];

const withoutKeys = s3Place.omit({ key: true, key_secret: true });

/** The place of an input of S3, with what was left out as it is by default. */
const s3Of = ({ endpoint, port, bucket, path, region, uri_style, ca }: AddInput) => ({
  type: "s3" as const,
  ...withoutKeys.parse({ endpoint, port, bucket, path, region, uri_style, ca }),
});

/** Where it would be; no keys are needed for that. */
export const placeOfInput = (input: AddInput): string =>
  placeOf(input.type === "disk" ? { type: "disk", path: input.path! } : s3Of(input));

/** The place of an input, with its keys. @throws HomelabError `not_found` when those were forgotten */
export async function candidateOf(site: Site, input: AddInput): Promise<Candidate> {
  const { name } = input;
  if (input.type === "disk") return { type: "disk", name, path: input.path! };
  const keys = await readKeys(site.topology.paths, input.keys!);
  if (keys) return { ...s3Of(input), name, key: keys.key, key_secret: keys.secret };
  throw new HomelabError("not_found", `the keys of ${name} are not kept any more`, {
    hint: "They are kept until an attempt has ended: homelab storage add s3 takes them again.",
  });
}

/** The repository of this name at this place, once it is one. */
export const savedIn = (storage: Storage, input: AddInput): Repository | undefined =>
  storage.repositories.find((each) => each.name === input.name && placeOf(each) === placeOfInput(input));

/** The whole repository: as it is saved, or as it will be. @throws HomelabError `not_found` when its keys were forgotten */
export async function repositoryOf(site: Site, input: AddInput): Promise<Repository> {
  const storage = await site.storage();
  const saved = savedIn(storage, input);
  if (saved) return saved;
  const place = placeOfInput(input);
  const cipher_pass = storage.former?.find((each) => each.place === place)?.cipher_pass ?? null;
  return { ...(await candidateOf(site, input)), number: numberIn(storage), cipher_pass };
}

/** @throws HomelabError `storage_unusable` when all numbers are taken */
export function numberIn(storage: Storage): number {
  const number = freeNumber(storage);
  if (number !== undefined) return number;
  throw new HomelabError(
    "storage_unusable",
    `there are ${MOST_REPOSITORIES} repositories already, the most that pgBackRest takes`,
    {
      hint: "homelab storage remove gives one up.",
    },
  );
}
