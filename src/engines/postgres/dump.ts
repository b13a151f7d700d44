import { join } from "node:path";
import { postgresSocket, type Topology } from "../../cluster/topology.ts";

/** A value of a connection string (PostgreSQL manual, 34.1.1.1): quoted, so that no name can add a keyword of its own. */
const conninfoValue = (text: string): string => `'${text.replace(/[\\']/g, "\\$&")}'`;

/** Who we are for psql and pg_dump: the database's name is a value here, never a word of its own. */
export function conninfo(topology: Topology, database: string, user = "postgres"): string {
  const socket = postgresSocket(topology);
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

/** Reads a dump's table of contents. */
export const listDumpCommand = (topology: Topology, file: string): [string, ...string[]] => [
  join(topology.programs.postgresBin, "pg_restore"),
  "--list",
  file,
];

/** The line of a password file that fits every connection; colon and backslash are escaped (manual, 34.16). */
export const pgpassLine = (password: string): string => `*:*:*:*:${password.replace(/[\\:]/g, "\\$&")}\n`;
