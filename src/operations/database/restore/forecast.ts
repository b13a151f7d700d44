import { requireSpace, type SpaceNeed } from "../../../host/space.ts";
import { findAnchor } from "../../../engines/postgres/databases.ts";
import { describeDatabase } from "../../../engines/postgres/described.ts";
import { databasesIn } from "../../../engines/pgbackrest/contents.ts";
import { chooseRestore, type ChosenRestore } from "../../../site/restore-target.ts";
import { readSpeeds, type RestoreSpeeds } from "../../../site/restore-speed.ts";
import type { Site } from "../../../site/site.ts";
import type { RestoreContext, RestoreInput } from "./input.ts";

/** What is settled before anything is touched. */
export type Choice = {
  restore: ChosenRestore;
  /** The segment up to which the running cluster brought everything into the archive for this run. */
  archived: string | null;
  /** Only the files of this one database are brought: it is the same one in the backup as it is now. */
  alone: boolean;
  /** The owner that it keeps, with all its roles; null where they are gone, and it gets roles of its own. */
  owner: string | null;
  /** What it takes now; null where it is gone. */
  liveBytes: number | null;
};

/** Chooses the backup, and finds out what there is of the database now. @throws HomelabError as `chooseRestore` does */
export async function choose(site: Site, input: RestoreInput, signal: AbortSignal, archived?: string): Promise<Choice> {
  const admin = await (await site.postgres()).admin();
  const restore = await chooseRestore(site, input, { signal, canArchive: true, archived });
  const [live, anchor, held] = await Promise.all([
    describeDatabase(admin, input.database),
    findAnchor(admin, input.database),
    databasesIn(site.topology, restore, signal),
  ]);
  const isBeside = anchor?.restored !== undefined || anchor?.replaced !== undefined;
  return {
    restore,
    archived: archived ?? null,
    // Where the name went from one database to another meanwhile, all are brought.
    alone: held.has(input.database) && (live === undefined || live.oid === held.get(input.database)),
    owner: anchor && !isBeside ? anchor.owner : null,
    liveBytes: live?.bytes ?? null,
  };
}

/** A server's own databases, and what a cluster has beside databases. */
const CLUSTER_ITSELF = 96 * 1024 * 1024;

/** The log that is kept while it is replayed: max_wal_size of the scratch, and what is fetched ahead. */
const MOST_WAL = 2 * 1024 ** 3;

/** Bytes that are copied out of the backup. */
export const filesBytes = ({ restore, alone, liveBytes }: Choice): number =>
  alone && liveBytes !== null
    ? // It may have been larger then.
      Math.min(restore.database_bytes, CLUSTER_ITSELF + 2 * liveBytes)
    : restore.database_bytes;

/** Bytes of the one database. */
export const databaseBytes = ({ restore, liveBytes }: Choice): number => liveBytes ?? restore.database_bytes;

/** What a restore needs, and where: the cluster in scratch with its log, and the database once more. */
const spaceNeeds = ({ topology: { paths } }: Site, choice: Choice): SpaceNeed[] => [
  { path: paths.scratch, bytes: filesBytes(choice) + Math.min(choice.restore.wal_bytes, MOST_WAL) },
  { path: paths.data, bytes: databaseBytes(choice) },
];

/** What the sentences of a plan are made of. */
export interface Forecast extends Choice {
  speeds: RestoreSpeeds;
  needs: number;
}

const forecasts = new WeakMap<RestoreInput, Promise<Forecast>>();

/** What is known before the run: found out once for the guards and for all sentences of the plan. */
export function forecastOf({ input, site, signal }: RestoreContext): Promise<Forecast> {
  const known = forecasts.get(input);
  if (known) return known;
  const finding = choose(site, input, signal).then(async (choice) => ({
    ...choice,
    speeds: await readSpeeds(site),
    needs: spaceNeeds(site, choice).reduce((sum, { bytes }) => sum + bytes, 0),
  }));
  forecasts.set(input, finding);
  return finding;
}

/** @throws HomelabError `disk_short`, before anything is written */
export const requireRestoreSpace = (site: Site, choice: Choice): void =>
  requireSpace(`restoring ${choice.restore.label}`, spaceNeeds(site, choice));
