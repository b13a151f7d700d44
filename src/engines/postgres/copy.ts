import { join } from "node:path";
import { postgresSocket, type Topology } from "../../cluster/topology.ts";
import { conninfoAt } from "./dump.ts";

/** Where something is copied from: a server by its socket. */
export interface CopySource {
  socket: { directory: string; port: number };
  database: string;
  /** Only these tables, as `"schema"."name"`; all by default. */
  tables: string[];
}

/** The schema of the pooler's lookup: it is made anew in each database, by the superuser. */
const LOOKUP_SCHEMA = "pgbouncer";

/** pg_dump to its standard output, uncompressed: what reads it is on the same machine. */
export const copyOutCommand = ({ programs }: Topology, source: CopySource): [string, ...string[]] => [
  join(programs.postgresBin, "pg_dump"),
  "--format=custom",
  "--compress=0",
  "--no-password",
  "--no-subscriptions",
  `--exclude-schema=${LOOKUP_SCHEMA}`,
  ...source.tables.map((table) => `--table=${table}`),
  `--dbname=${conninfoAt(source.socket, source.database)}`,
];

/**
 * pg_restore from its standard input, as a login that is no superuser and may only what `owner` may: what an app's owner
 * wrote into its database (checks of tables, functions of indexes) runs while it is restored.
 */
export const copyInCommand = (
  topology: Topology,
  to: { database: string; login: string; owner: string },
): [string, ...string[]] => [
  join(topology.programs.postgresBin, "pg_restore"),
  "--format=custom",
  "--no-password",
  "--no-owner",
  "--no-tablespaces",
  `--role=${to.owner}`,
  `--dbname=${conninfoAt(postgresSocket(topology), to.database, to.login)}`,
];

/** Something that pg_restore could not make, and why. */
export type LeftOut = {
  what: string;
  why: string;
};

/** What an extension brought is made with it; its comment belongs to the superuser, and so may its schema. */
const HARMLESS = /must be owner of extension|schema "[^"]*" already exists/;

/** Reads what pg_restore could not make out of what it said. */
export function leftOutOf(said: string): LeftOut[] {
  const found: LeftOut[] = [];
  let what = "";
  for (const line of said.split("\n")) {
    const entry = /from TOC entry \d+; \d+ \d+ (.+)$/.exec(line);
    if (entry) what = entry[1]!;
    const why =
      /could not execute query: ERROR: {2}(.+)$/.exec(line) ?? /COPY failed for table .+: ERROR: {2}(.+)$/.exec(line);
    if (why && !HARMLESS.test(why[1]!)) found.push({ what, why: why[1]! });
  }
  return found;
}
