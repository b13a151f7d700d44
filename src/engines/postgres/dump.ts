import { join } from "node:path";
import { postgresSocket, type Topology } from "../../cluster/topology.ts";

/** A value of a connection string (PostgreSQL manual, 34.1.1.1): quoted, so that no name can add a keyword of its own. */
const conninfoValue = (text: string): string => `'${text.replace(/[\\']/g, "\\$&")}'`;

/** Where a server's socket is: a folder, and the number in the socket's name. */
export type ServerSocket = ReturnType<typeof postgresSocket>;

/** Who we are for psql and pg_dump: the database's name is a value here, never a word of its own. */
export const conninfo = (topology: Topology, database: string, user = "postgres"): string =>
  conninfoAt(postgresSocket(topology), database, user);

/** The same for a server at another socket. */
export function conninfoAt(socket: { directory: string; port: number }, database: string, user = "postgres"): string {
  const parts = {
    host: socket.directory,
    port: String(socket.port),
    user,
    dbname: database,
    application_name: "homelab",
  };
  return Object.entries(parts)
    .map(([key, value]) => `${key}=${conninfoValue(value)}`)
    .join(" ");
}

/** pg_dump in its own format: compressed, restorable in parts. */
export const dumpCommand = (topology: Topology, database: string, file: string): [string, ...string[]] => [
  join(topology.programs.postgresBin, "pg_dump"),
  "--format=custom",
  "--no-password",
  `--file=${file}`,
  `--dbname=${conninfo(topology, database)}`,
];

/** The schema that the pooler's lookup needs in each database before PgBouncer 1.19: ours, and no part of anybody's data. */
export const POOLER_SCHEMA = "pgbouncer";

/** The same to standard output, for whoever takes it elsewhere: without what only this installation has. */
export const streamDumpCommand = (
  topology: Topology,
  database: string,
  { compression, server }: { compression?: number; server?: ServerSocket } = {},
): [string, ...string[]] => [
  join(topology.programs.postgresBin, "pg_dump"),
  "--format=custom",
  "--no-password",
  `--exclude-schema=${POOLER_SCHEMA}`,
  ...(compression === undefined ? [] : [`--compress=${compression}`]),
  `--dbname=${conninfoAt(server ?? postgresSocket(topology), database, "postgres")}`,
];

/** Into which database, and as whom. */
export interface Target {
  database: string;
  /** The login; no superuser, since a dump can hold any statement. */
  user: string;
  /** Who owns what is made. */
  owner: string;
}

/** Restores those entries of a custom archive from standard input that the list names. */
export const restoreCommand = (topology: Topology, target: Target, list: string): [string, ...string[]] => [
  join(topology.programs.postgresBin, "pg_restore"),
  "--format=custom",
  "--exit-on-error",
  "--no-password",
  "--no-owner",
  "--no-privileges",
  "--no-publications",
  "--no-subscriptions",
  "--no-security-labels",
  "--no-tablespaces",
  `--role=${target.owner}`,
  `--use-list=${list}`,
  `--dbname=${conninfo(topology, target.database, target.user)}`,
];

/** Runs SQL from standard input, all of it or nothing. */
export const sqlCommand = (topology: Topology, target: Target): [string, ...string[]] => [
  join(topology.programs.postgresBin, "psql"),
  "--no-psqlrc",
  "--quiet",
  "--no-password",
  "--set=ON_ERROR_STOP=1",
  "--single-transaction",
  "--output=/dev/null",
  "--file=-",
  `--dbname=${conninfo(topology, target.database, target.user)}`,
];

/** Reads the table of contents of a dump that comes by standard input. */
export const listStreamCommand = (topology: Topology): [string, ...string[]] => [
  join(topology.programs.postgresBin, "pg_restore"),
  "--list",
];

/** Reads a dump's table of contents. */
export const listDumpCommand = (topology: Topology, file: string): [string, ...string[]] => [
  join(topology.programs.postgresBin, "pg_restore"),
  "--list",
  file,
];

/** Puts a dump into an empty database; the first error ends it. */
export const restoreDumpCommand = (topology: Topology, database: string, file: string): [string, ...string[]] => [
  join(topology.programs.postgresBin, "pg_restore"),
  "--exit-on-error",
  "--no-password",
  `--dbname=${conninfo(topology, database)}`,
  file,
];
