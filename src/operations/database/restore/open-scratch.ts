import { HomelabError } from "../../../core/errors.ts";
import * as ddl from "../../../engines/postgres/ddl.ts";
import { databaseExists } from "../../../engines/postgres/databases.ts";
import { rolesInUse } from "../../../engines/postgres/described.ts";
import { rolesOf } from "../../../engines/postgres/names.ts";
import { findRoles } from "../../../engines/postgres/roles.ts";
import { TargetNotReached, type ScratchServer } from "../../../engines/postgres/scratch.ts";
import type { Session } from "../../../engines/postgres/sessions.ts";
import { SEGMENT_BYTES } from "../../../engines/pgbackrest/wal.ts";
import { archiveNow } from "../../../site/archive-now.ts";
import {
  inScratch,
  replayScratch,
  restoreToScratch,
  scratchOf,
  type ScratchReplay,
  type ScratchWish,
} from "../../../site/scratch.ts";
import { choose, type Choice } from "./forecast.ts";
import { newName, type RestoreContext } from "./input.ts";

export const choiceOf = ({ output }: Pick<RestoreContext, "output">): Choice => output<Choice>("choose-backup")!;

/** What this run wants in its scratch. */
function scratchWish(context: RestoreContext): ScratchWish {
  const { restore, alone } = choiceOf(context);
  const { repo, label, recovery, timeline } = restore;
  return { repo, label, recovery, timeline, ...(alone ? { databases: [context.input.database] } : {}) };
}

/** Brings the files of the backup, unless they are there. */
export function bringFiles(context: RestoreContext): Promise<ScratchServer> {
  const { site, runId, signal } = context;
  const total = choiceOf(context).restore.database_bytes;
  const onPart = (part: number) => context.progress({ done: Math.round(part * total), total, unit: "bytes" });
  return restoreToScratch(site, runId, scratchWish(context), { signal, onPart });
}

/** Replays the log, unless it was. @throws HomelabError `target_outside_window` when the target is not in the log */
export async function replayLog(context: RestoreContext): Promise<ScratchReplay> {
  const { site, input, signal } = context;
  const { restore, archived } = choiceOf(context);
  try {
    return await replayOnce(context, restore.or_end).catch(async (error: unknown) => {
      if (!(error instanceof TargetNotReached) || restore.recovery.type !== "time" || archived !== null) throw error;
      // Nothing was committed behind that moment, as far as the archive knew: now something is, and nothing is missing.
      const now = await choose(site, input, signal, await archiveNow(site, signal));
      return replayOnce(context, now.restore.or_end);
    });
  } catch (error) {
    if (!(error instanceof TargetNotReached)) throw error;
    throw new HomelabError("target_outside_window", "the log in the archive ends before this target", {
      hint: "homelab db list-backups shows the window; perhaps an older backup has to be named.",
    });
  }
}

function replayOnce(context: RestoreContext, orEnd: boolean): Promise<ScratchReplay> {
  const { site, runId, signal } = context;
  const total = choiceOf(context).restore.wal_bytes;
  const onSegments = (count: number) =>
    context.progress({ done: count * SEGMENT_BYTES, total: Math.max(total, count * SEGMENT_BYTES), unit: "bytes" });
  return replayScratch(site, runId, scratchWish(context), { signal, orEnd, onSegments });
}

/**
 * The restored cluster, replayed and open, with the roles of the live one. Whatever was lost of it since (the machine was
 * started anew, say) is done again.
 */
export async function openScratch(context: RestoreContext): Promise<ScratchServer> {
  const { site, runId, input } = context;
  await bringFiles(context);
  await replayLog(context);
  await inScratch(site, runId, "postgres", (session) => letIn(context, session));
  await inScratch(site, runId, input.database, (session) => fitRoles(context, session));
  return scratchOf(site, runId);
}

/** The database may have been closed then; and where its roles are gone, those that it had become the new ones. */
async function letIn(context: RestoreContext, session: Session): Promise<void> {
  const { input } = context;
  if (!(await databaseExists(session, input.database))) throw await notThere(context, session);
  await session.query(ddl.allowConnections(input.database, true));
  if (choiceOf(context).owner !== null || newName(input) === input.database) return;
  const [then, next] = [rolesOf(input.database), rolesOf(newName(input))];
  const known = await findRoles(session, [...Object.values(then), ...Object.values(next)]);
  const keys = (Object.keys(then) as (keyof typeof then)[]).filter((key) => known.has(then[key]));
  await session.transaction([
    // A database of the new name may have been there, with roles of its own.
    ...keys.filter((key) => known.has(next[key])).map((key) => ddl.renameRole(next[key], `gone-${key}`)),
    ...keys.map((key) => ddl.renameRole(then[key], next[key])),
  ]);
}

async function notThere({ input }: RestoreContext, session: Session): Promise<HomelabError> {
  const rows = await session.query<{ name: string }>(
    "SELECT datname AS name FROM pg_catalog.pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 1 LIMIT 20",
  );
  const names = rows.map(({ name }) => name).join(", ");
  return new HomelabError("not_found", `there was no database ${input.database} then`, {
    hint: names ? `There were: ${names}.` : "There was none at all.",
  });
}

/** What belongs to nobody who is here now, or was granted to nobody, could not be made again. */
async function fitRoles(context: RestoreContext, session: Session): Promise<void> {
  const { input, site } = context;
  const used = await rolesInUse(session);
  const live = await findRoles(await (await site.postgres()).admin(), used);
  const coming = choiceOf(context).owner === null ? Object.values(rolesOf(newName(input))) : [];
  const gone = used.filter((role) => !live.has(role) && !coming.includes(role));
  for (const role of gone) await session.transaction([ddl.reassignOwned(role, "postgres"), ddl.dropOwned(role)]);
}
