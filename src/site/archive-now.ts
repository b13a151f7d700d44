import { waitUntil } from "../core/clock.ts";
import { HomelabError } from "../core/errors.ts";
import type { Site } from "./site.ts";

/** Seconds that the archiver gets: pgBackRest itself tries a segment for a minute. */
const PATIENCE = 90;

/**
 * The mark that PostgreSQL keeps beside a finished segment until archive_command took it; several may be on their way at
 * once, the later ones first. pg_stat_archiver names only the last file of all, which may be the label of a backup.
 */
const WAITING = `
  SELECT EXISTS (SELECT FROM pg_catalog.pg_ls_archive_statusdir() WHERE name ~ '^[0-9A-F]{24}[.]ready$' AND name <= $1) AS waiting,
         coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS fails
  FROM pg_catalog.pg_stat_archiver`;

/**
 * Brings everything that was committed so far into the archive, and answers the name of the segment that it ends in. A
 * transaction is committed first: recovery to a moment ends in an error where no later one is in the log.
 * @throws HomelabError `engine_unreachable` when PostgreSQL is away; `deadline_passed` when archiving does not go on
 */
export async function archiveNow(site: Site, signal?: AbortSignal): Promise<string> {
  const admin = await (await site.postgres()).admin();
  await admin.query("SELECT pg_catalog.pg_current_xact_id()");
  const [row] = await admin.query<{ segment: string }>(
    "SELECT pg_catalog.pg_walfile_name(pg_catalog.pg_switch_wal()) AS segment",
  );
  const { segment } = row!;
  let fails = false;
  const isArchived = async () => {
    const [state] = await admin.query<{ waiting: boolean; fails: boolean }>(WAITING, [`${segment}.ready`]);
    fails = state!.fails;
    return !state!.waiting;
  };
  try {
    await waitUntil(isArchived, { timeout: PATIENCE, every: 50, signal, what: `${segment} is in the archive` });
  } catch (error) {
    if (!fails || signal?.aborted) throw error;
    throw new HomelabError("deadline_passed", `the newest WAL (${segment}) cannot be archived`, {
      hint: "homelab health says why. An older moment can be had back meanwhile.",
      cause: error,
    });
  }
  return segment;
}
