import { join } from "node:path";
import type { Topology } from "../../cluster/topology.ts";
import { exists } from "../../host/files.ts";
import { run } from "../../host/run.ts";

/** What a data directory says of itself. */
export interface ControlData {
  /** Made at initdb: two clusters never have the same. */
  systemIdentifier: string;
  /** PostgreSQL's words: `in production`, `shut down`, … */
  state: string;
  timeline: number;
}

/**
 * Reads a data directory's control file; undefined when there is none, or a broken one. A restore that did not come to its
 * end has none: pgBackRest writes it last.
 * @throws HomelabError `process_failed` when it cannot be read
 */
export async function readControlData(topology: Topology, dataDirectory: string): Promise<ControlData | undefined> {
  if (!(await exists(join(dataDirectory, "global", "pg_control")))) return undefined;
  const argv = [join(topology.programs.postgresBin, "pg_controldata"), dataDirectory] as const;
  const { stdout, stderr } = await run({ argv, timeout: 30 });
  return /CRC checksum does not match/i.test(stdout + stderr) ? undefined : parseControlData(stdout);
}

/** Reads what pg_controldata prints in the locale C. */
export function parseControlData(text: string): ControlData {
  const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(text)?.[1]?.trim() ?? "";
  return {
    systemIdentifier: field("Database system identifier"),
    state: field("Database cluster state"),
    timeline: Number(field("Latest checkpoint's TimeLineID")),
  };
}
