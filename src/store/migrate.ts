import { sql } from "kysely";
import { HomelabError } from "../core/errors.ts";
import { oneAtATime } from "./advisory.ts";
import type { PlatformDatabase, PlatformTransaction } from "./database.ts";
import { revisions } from "./migrations/index.ts";
import type { Revision } from "./migrations/revision.ts";

/** Where a schema stands. */
export interface MigrationStatus {
  /** The newest revision that was applied; null before the first. */
  current: string | null;
  /** The newest that this program knows. */
  head: string;
  /** What would be applied, in order. */
  pending: string[];
}

/** A place to go to that is before the first revision. */
const BASE = "base";

/** Seconds that one revision may take, the wait for another migrator counted in. */
const REVISION_SECONDS = 120;

/**
 * Brings the schema to a revision, the head unless one is named, forward or back: each revision in a transaction of its
 * own, under one advisory lock. The lock is taken by each transaction anew, and it then looks again where the schema
 * stands: so two starts at once share the work, whatever pooler is between, and one that dies leaves no lock behind.
 * Answers the revisions that this call applied or took back.
 * @throws HomelabError `platform_database_newer`, and `not_found` for a revision that nobody knows
 */
export async function migrate(database: PlatformDatabase, to?: string, known = revisions): Promise<string[]> {
  const target = placeOf(to ?? known.at(-1)!.name, known);
  const done: string[] = [];
  for (;;) {
    const name = await database.session((db) => moveOnce(db, target, known), REVISION_SECONDS);
    if (name === undefined) return done;
    done.push(name);
  }
}

/** Where the schema stands. Changes nothing. @throws HomelabError `platform_database_away` */
export async function migrationStatus(database: PlatformDatabase, known = revisions): Promise<MigrationStatus> {
  const applied = await database.session(appliedRevisions);
  return {
    current: applied.at(-1) ?? null,
    head: known.at(-1)!.name,
    pending: known.map(({ name }) => name).filter((name) => !applied.includes(name)),
  };
}

/** Tells one making of the schema from another: a dump that is restored makes tables anew. @throws HomelabError `platform_database_away` */
export async function schemaIdentity(database: PlatformDatabase): Promise<string> {
  const { rows } = await database.session((db) =>
    sql<{ identity: string }>`
      SELECT pg_catalog.to_regclass('public.schema_revisions')::pg_catalog.oid::text AS identity`.execute(db),
  );
  return rows[0]!.identity;
}

/** The number of revisions that are applied at this place. */
function placeOf(name: string, known: readonly Revision[]): number {
  if (name === BASE) return 0;
  const index = known.findIndex((revision) => revision.name === name);
  if (index >= 0) return index + 1;
  throw new HomelabError("not_found", `there is no revision ${name} of the platform database`, {
    hint: `Known are ${[BASE, ...known.map((revision) => revision.name)].join(", ")}.`,
  });
}

/** One revision towards the target; undefined when there is nothing to do. */
async function moveOnce(
  db: PlatformTransaction,
  target: number,
  known: readonly Revision[],
): Promise<string | undefined> {
  await sql.raw(`SET LOCAL statement_timeout = '${REVISION_SECONDS}s'`).execute(db);
  await sql.raw(`SET LOCAL lock_timeout = '${REVISION_SECONDS}s'`).execute(db);
  await oneAtATime(db, "migrations");
  const place = await currentPlace(db, known);
  if (place === target) return undefined;
  return place < target ? apply(db, known[place]!) : takeBack(db, known[place - 1]!);
}

async function apply(db: PlatformTransaction, revision: Revision): Promise<string> {
  await sql`CREATE TABLE IF NOT EXISTS schema_revisions (
    revision varchar(255) PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`.execute(db);
  for (const statement of revision.up) await sql.raw(statement).execute(db);
  await db.insertInto("schema_revisions").values({ revision: revision.name }).execute();
  return revision.name;
}

async function takeBack(db: PlatformTransaction, revision: Revision): Promise<string> {
  for (const statement of revision.down) await sql.raw(statement).execute(db);
  await db.deleteFrom("schema_revisions").where("revision", "=", revision.name).execute();
  return revision.name;
}

/** How many revisions were applied. @throws HomelabError when those are not the first ones that we know */
async function currentPlace(db: PlatformTransaction, known: readonly Revision[]): Promise<number> {
  const applied = await appliedRevisions(db);
  const unknown = applied.find((name, index) => known[index]?.name !== name);
  if (unknown === undefined) return applied.length;
  throw new HomelabError(
    "platform_database_newer",
    `the platform database is at revision ${applied.at(-1)}, which this version does not know`,
    { hint: "Use the version that wrote it, or a newer one; homelab --version shows this one's." },
  );
}

/** The revisions that were applied, in order; none before there is a table of them. */
async function appliedRevisions(db: PlatformTransaction): Promise<string[]> {
  const { rows } = await sql<{ there: boolean }>`
    SELECT pg_catalog.to_regclass('public.schema_revisions') IS NOT NULL AS there`.execute(db);
  if (!rows[0]!.there) return [];
  const found = await db.selectFrom("schema_revisions").select("revision").orderBy("revision").execute();
  return found.map(({ revision }) => revision);
}
