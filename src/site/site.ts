import type { Storage } from "../config/storage.ts";
import type { Secrets } from "../config/secrets.ts";
import type { Topology } from "../cluster/topology.ts";
import type { Clock } from "../core/clock.ts";
import type { PostgresSessions } from "../engines/postgres/sessions.ts";
import type { Program } from "../host/program.ts";

/** One installation, as operations and reports work on it. Dependencies are arguments: nothing here is global. */
export interface Site {
  topology: Topology;
  /** Read, or made by the first operation: until then there are none. */
  secrets(): Promise<Secrets>;
  /** Where backups are kept; made by the first operation too. */
  storage(): Promise<Storage>;
  /** Sessions to PostgreSQL, opened when they are needed. */
  postgres(): Promise<PostgresSessions>;
  clock: Clock;
  /** What the agent runs from. */
  program: Program;
  /** The variables that the caller was started with; secrets may be given there. */
  env: Record<string, string | undefined>;
  close(): Promise<void>;
}
