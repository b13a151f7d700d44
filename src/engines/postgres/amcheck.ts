import { join } from "node:path";
import type { Topology } from "../../cluster/topology.ts";

/** Where a server is reached. */
interface ServerSocket {
  directory: string;
  port: number;
}

/**
 * Checks every table and every B-tree of every database, page by page. `--heapallindexed` finds rows that an index
 * lacks, and `--parent-check` keys that stand on the wrong page: both take locks that a server in use could not spare.
 * It installs amcheck where that is missing, so it is only for a copy of the cluster.
 */
export const amcheckCommand = (
  { programs }: Pick<Topology, "programs">,
  { directory, port }: ServerSocket,
): [string, ...string[]] => [
  join(programs.postgresBin, "pg_amcheck"),
  "--all",
  "--install-missing",
  "--heapallindexed",
  "--parent-check",
  // One finding of a table is enough: a broken one could fill the disk with them.
  "--on-error-stop",
  "--progress",
  "--no-password",
  "--jobs=1",
  `--host=${directory}`,
  `--port=${port}`,
  "--username=postgres",
  "--maintenance-db=postgres",
];

/** The exit code of a check that found damage. */
export const AMCHECK_FOUND = 2;

/** How far a check is, by a line that it wrote; undefined for another line. */
export interface AmcheckProgress {
  relations: number;
  pages: number;
  totalPages: number;
}

export function parseAmcheckProgress(line: string): AmcheckProgress | undefined {
  const match = /(\d+)\/(\d+) relations \(\s*\d+%\),\s*(\d+)\/(\d+) pages/.exec(line);
  return match ? { relations: Number(match[1]), pages: Number(match[3]), totalPages: Number(match[4]) } : undefined;
}

const HEADING = /^(?:heap table|btree index) "(.+)"(?:, block (\d+))?.*:$/;

/**
 * What a check found, one sentence a finding: what it is about, on which page, and what is wrong with it.
 * The program writes a heading for each, and what is wrong indented below.
 */
export function parseFindings(output: string): string[] {
  const lines = output.split("\n").map((line) => line.trimEnd());
  const findings = lines.flatMap((line, i) => {
    const heading = HEADING.exec(line);
    if (!heading) return [];
    const [, what, block] = heading;
    const says = (lines[i + 1] ?? "").trim().replace(/^(ERROR|FATAL|PANIC):\s*/, "");
    return [`${what}${block === undefined ? "" : `, page ${block}`}: ${says}`];
  });
  return [...new Set(findings)];
}
