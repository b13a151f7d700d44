import { placeOf, type Repository } from "../config/storage.ts";
import { errorRecord } from "../core/errors.ts";
import { faultOf } from "../engines/pgbackrest/annotations.ts";
import { freeBytesOf, tryDisk } from "../engines/pgbackrest/try-disk.ts";
import { tryS3 } from "../engines/pgbackrest/try-s3.ts";
import { readCatalogue, readRepository, type RepositoryCatalogue } from "../site/backup-catalogue.ts";
import type { Site } from "../site/site.ts";

/** A repository as the API shows it: never with what opens it. */
export interface ListedRepository {
  name: string;
  number: number;
  type: "disk" | "s3";
  place: string;
  encrypted: boolean;
  backups: number;
  stored_bytes: number;
  /** Null for a server: S3 does not tell. */
  free_bytes: number | null;
  last_backup_at: string | null;
  /** When the newest segment of WAL without a gap before it arrived. */
  last_archived_at: string | null;
  trouble: string | null;
  hint: string | null;
}

/** Every repository with what it holds, and what is the matter with it. */
export async function storageReport(site: Site): Promise<ListedRepository[]> {
  return Promise.all((await readCatalogue(site)).map(listed));
}

async function listed(catalogue: RepositoryCatalogue): Promise<ListedRepository> {
  const { repository, backups, coverage, trouble, warning, hint } = catalogue;
  const good = backups.filter((each) => faultOf(each) === undefined && !coverage.unusable.has(each.label));
  const { name, number, type } = repository;
  return {
    name,
    number,
    type,
    place: placeOf(repository),
    encrypted: repository.cipher_pass !== null,
    backups: backups.length,
    stored_bytes: backups.reduce((sum, { addedBytes }) => sum + addedBytes, 0),
    free_bytes: (repository.type === "disk" ? await freeBytesOf(repository) : undefined) ?? null,
    last_backup_at: good.at(-1)?.stoppedAt ?? null,
    last_archived_at: coverage.lastSegment ? new Date(coverage.lastSegment.at).toISOString() : null,
    trouble: trouble ?? warning ?? null,
    hint: hint ?? null,
  };
}

/** What a test of a repository found out. */
export interface StorageTest {
  name: string;
  place: string;
  ok: boolean;
  says: string;
  hint: string | null;
  /** Whether the bucket keeps what is deleted; null for a disk, and where the server does not tell. */
  versioning: "on" | "off" | null;
}

/** Writes, reads, lists and deletes something in a repository, and has pgBackRest read what is there. */
export async function testRepository(site: Site, repository: Repository): Promise<StorageTest> {
  const about = { name: repository.name, place: placeOf(repository) };
  try {
    const { versioning } =
      repository.type === "disk" ? { ...(await tryDisk(repository)), versioning: null } : await tryS3(repository);
    const { trouble, warning, hint } = await readRepository(site, repository);
    const says = trouble ?? warning ?? "it can be written, read, listed and cleaned up, and pgBackRest reads it";
    return { ...about, ok: !trouble && !warning, says, hint: hint ?? adviceOn(versioning), versioning };
  } catch (error) {
    const { message, hint } = errorRecord(error);
    return { ...about, ok: false, says: message, hint: hint ?? null, versioning: null };
  }
}

/** Whoever gets hold of the key could delete every backup (faults F63). */
const adviceOn = (versioning: StorageTest["versioning"]): string | null =>
  versioning === "off"
    ? "Versioning of the bucket is off: whoever gets hold of the key can delete its backups for good. Turn it on there, with object lock where the server has it."
    : null;
