import type { Repository } from "../config/storage.ts";
import { errorMessage } from "../core/errors.ts";
import { formatBytes } from "../core/units.ts";
import { faultOf } from "../engines/pgbackrest/annotations.ts";
import { listArchive, readFromRepository, repositoryInfo } from "../engines/pgbackrest/client.ts";
import { coverageOf, type Coverage } from "../engines/pgbackrest/coverage.ts";
import type { ArchivedWal } from "../engines/pgbackrest/archive.ts";
import type { BackupInfo, StanzaInfo } from "../engines/pgbackrest/info.ts";
import { pushErrors } from "../engines/pgbackrest/push-errors.ts";
import { sentenceOf, troubleOf, type Trouble } from "../engines/pgbackrest/trouble.ts";
import { freeBytesOf } from "../engines/pgbackrest/try-disk.ts";
import { legsTo, placeOf, SEGMENT_BYTES, type Leg } from "../engines/pgbackrest/wal.ts";
import { corruptWal } from "./corrupt-wal.ts";
import type { Site } from "./site.ts";

/** One repository, as it is: read from its own listing, never from our records. */
export interface RepositoryCatalogue {
  repository: Repository;
  /** Why it could not be read, or takes no backups; undefined when all is well. */
  trouble: string | undefined;
  /** Why WAL does not arrive there though it can be read, or soon will not; undefined when nothing is known of that. */
  warning?: string;
  /** What can be done about either. */
  hint?: string;
  /** Under which it keeps the WAL of what PostgreSQL is now: `15-1`. */
  archiveId: string | undefined;
  backups: BackupInfo[];
  coverage: Coverage;
  /** The way that the log took to the timeline that the archive has last. */
  legs: Leg[];
  running: StanzaInfo["running"];
}

const NOTHING: Coverage = { windows: [], gaps: [], unusable: new Map(), lastSegment: undefined };

const UNREAD = { archiveId: undefined, backups: [], coverage: NOTHING, legs: [], running: undefined };

/** pgBackRest's codes for a repository that is ok, or only has no backup yet. */
const SOUND = [0, 2];

/** Reads every repository; one that does not answer says so, and does not blank the others. */
export async function readCatalogue(site: Site, signal?: AbortSignal): Promise<RepositoryCatalogue[]> {
  const { repositories } = await site.storage();
  return Promise.all(repositories.map((repository) => readRepository(site, repository, signal)));
}

/** Less than so many bytes are no room for a backup, and not for long for WAL. */
const SHORT = 3 * SEGMENT_BYTES;

/** What is known against storing more: what pgBackRest noted when it tried, and the room that is left. */
async function warningOf({ topology }: Site, repository: Repository): Promise<Trouble | undefined> {
  const refused = (await pushErrors(topology)).get(repository.number);
  if (refused) {
    const { says, hint } = troubleOf(refused, repository);
    return { says: `WAL cannot be stored: ${says}`, hint };
  }
  const free = repository.type === "disk" ? await freeBytesOf(repository) : undefined;
  if (free === undefined || free >= SHORT) return undefined;
  return { says: `its disk has ${formatBytes(free)} left`, hint: sentenceOf("full", repository).hint };
}

/** Reads one repository. */
export async function readRepository(
  site: Site,
  repository: Repository,
  signal?: AbortSignal,
): Promise<RepositoryCatalogue> {
  const { topology, clock } = site;
  const { number } = repository;
  try {
    // Not at once: a backup that ended in between would seem to lack its WAL.
    const info = await repositoryInfo(topology, number, { signal });
    const state = info.repositories.find((each) => each.number === number);
    // This tells more than a listing that fails: of S3 only an answer with a body says why.
    if (!state || !SOUND.includes(state.code)) return unread(repository, state?.message ?? "missing stanza path");
    const archive = await listArchive(topology, number, { signal });
    const warning = await warningOf(site, repository);
    const wal = archive.get(state.archiveId ?? "");
    const corrupt = await corruptWal(topology.paths, repository);
    const legs = wal ? await legsOf(site, repository, wal, signal) : [];
    const own = info.backups.filter(({ archiveId }) => archiveId === state.archiveId);
    return {
      repository,
      trouble: undefined,
      warning: warning?.says,
      hint: warning?.hint,
      archiveId: state.archiveId,
      backups: info.backups,
      coverage: coverageOf(own, wal?.segments ?? [], legs, faultOf, clock.now(), corrupt),
      legs,
      running: info.running,
    };
  } catch (error) {
    return unread(repository, errorMessage(error));
  }
}

/** A repository of which pgBackRest said only what is the matter. */
function unread(repository: Repository, said: string): RepositoryCatalogue {
  const { says, hint } = troubleOf(said, repository);
  return { ...UNREAD, repository, trouble: says, hint };
}

/**
 * The history of the newest timeline. Its history file is archived at its beginning, a segment only when that is full: by
 * segments alone, the way would for a while be the one that a restore or an undo has just left.
 */
async function legsOf(
  { topology }: Site,
  { number }: Repository,
  { segments, histories }: ArchivedWal,
  signal?: AbortSignal,
): Promise<Leg[]> {
  const timelines = [...segments.map(({ name }) => placeOf(name).timeline), ...histories.keys()];
  const timeline = timelines.reduce((newest, each) => Math.max(newest, each), 0);
  const path = histories.get(timeline);
  const file = path && `archive/${topology.scope}/${path}`;
  return legsTo(timeline, file ? await readFromRepository(topology, number, file, { signal }) : undefined);
}

/** The backups of the cluster as it is now that can be relied on, as far as is known; the oldest first. */
export const goodBackups = ({ backups, archiveId, coverage }: RepositoryCatalogue): BackupInfo[] =>
  backups.filter((each) => each.archiveId === archiveId && !coverage.unusable.has(each.label));
