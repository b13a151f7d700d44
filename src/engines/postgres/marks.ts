import { RECORDS_SCHEMA, type Content, type Part } from "./content.ts";
import type { Session } from "./sessions.ts";

/** What a mark says of one table. */
export interface MarkedTable {
  oid: number;
  schema: string;
  name: string;
  /** What its old rows held; null where they were not read. */
  content: Content | null;
  /** Only these parts of it were read; null for all of it. */
  parts: Part[] | null;
  /** Why it was not read. */
  unread: string | null;
}

/** What a mark says of one database. */
export interface MarkedDatabase {
  oid: number;
  name: string;
  /** Rows of transactions with an id below this one were counted: all of those had ended. */
  horizon: string;
  tables: MarkedTable[];
  /** Why it could not be entered. */
  unread: string | null;
}

/** A mark that stands in the cluster. */
export interface MarkInfo {
  id: string;
  /** When it was committed, in milliseconds since 1970, rounded up. From then on a restore brings it back. */
  at: number;
}

/** Marks that are kept: as many as there are full backups by default, and the proofs between them. */
const KEPT = 12;

/*
 * In the database postgres, which is always there, and not in the platform's own, which may be elsewhere: a mark has to
 * be in the cluster's WAL. Nobody but the superuser may look into it.
 */
const MAKE = [
  `CREATE SCHEMA IF NOT EXISTS ${RECORDS_SCHEMA} AUTHORIZATION postgres`,
  `REVOKE ALL ON SCHEMA ${RECORDS_SCHEMA} FROM PUBLIC`,
  `CREATE TABLE IF NOT EXISTS ${RECORDS_SCHEMA}.mark (
     id text NOT NULL,
     database oid NOT NULL,
     name text NOT NULL,
     horizon text NOT NULL,
     tables jsonb NOT NULL,
     unread text,
     written_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
     PRIMARY KEY (id, database))`,
];

/** One statement, so that a mark is there whole or not at all. */
const WRITE = `
  WITH newest AS (
    SELECT id FROM ${RECORDS_SCHEMA}.mark WHERE id <> $1 GROUP BY id ORDER BY max(written_at) DESC LIMIT ${KEPT - 1}),
  removed AS (
    DELETE FROM ${RECORDS_SCHEMA}.mark WHERE id <> $1 AND id NOT IN (SELECT id FROM newest))
  INSERT INTO ${RECORDS_SCHEMA}.mark (id, database, name, horizon, tables, unread)
  SELECT $1, oid, name, horizon, tables, unread
  FROM pg_catalog.jsonb_to_recordset($2::jsonb)
       AS each (oid oid, name text, horizon text, tables jsonb, unread text)
  ON CONFLICT (id, database) DO NOTHING`;

/** The commit's own time, which is what a restore goes by; where that is no longer known, a moment later than the writing. */
const LIST = `
  SELECT id, ceil(extract(epoch FROM
           max(coalesce(pg_catalog.pg_xact_commit_timestamp(xmin), written_at + interval '1 minute'))) * 1000)::float8 AS at
  FROM ${RECORDS_SCHEMA}.mark GROUP BY id ORDER BY max(written_at) DESC`;

const READ = `
  SELECT database AS oid, name, horizon, tables, unread FROM ${RECORDS_SCHEMA}.mark WHERE id = $1 ORDER BY name`;

async function isMade(session: Session): Promise<boolean> {
  const [row] = await session.query<{ made: boolean }>("SELECT pg_catalog.to_regclass($1) IS NOT NULL AS made", [
    `${RECORDS_SCHEMA}.mark`,
  ]);
  return row!.made;
}

/** Writes a mark, and drops those that are too old. In the database postgres. A mark of the same id stays as it is. */
export async function writeMark(session: Session, mark: string, databases: MarkedDatabase[]): Promise<void> {
  if (!(await isMade(session))) await session.transaction(MAKE);
  await session.query(WRITE, [mark, JSON.stringify(databases)]);
}

/** The marks of a cluster, the newest first. In the database postgres. */
export const listMarks = async (session: Session): Promise<MarkInfo[]> =>
  (await isMade(session)) ? session.query<MarkInfo>(LIST) : [];

/** What a mark says; nothing, where the cluster does not have it. In the database postgres. */
export const readMark = async (session: Session, mark: string): Promise<MarkedDatabase[]> =>
  (await isMade(session)) ? session.query<MarkedDatabase>(READ, [mark]) : [];
