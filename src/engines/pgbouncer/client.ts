import { Client } from "pg";
import type { Topology } from "../../cluster/topology.ts";
import { HomelabError, errorMessage } from "../../core/errors.ts";
import { poolerPort, type PoolerName } from "./config.ts";

/** One line of SHOW POOLS. */
export interface Pool {
  database: string;
  user: string;
  cl_active: number;
  cl_waiting: number;
  sv_active: number;
  sv_idle: number;
  /** Seconds that the first of the waiting clients has waited. */
  maxwait: number;
}

/** Runs one command of PgBouncer's console over its socket, where our own system user needs no password. */
async function command<T>(topology: Topology, name: PoolerName, words: string): Promise<T[]> {
  const client = new Client({
    host: topology.paths.run,
    port: poolerPort(topology, name),
    database: "pgbouncer",
    user: "pgbouncer",
    connectionTimeoutMillis: 3000,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    return (await client.query(words)).rows as T[];
  } catch (cause) {
    throw new HomelabError("engine_unreachable", `${name} did not take ${words}: ${errorMessage(cause)}`, { cause });
  } finally {
    await client.end().catch(() => {});
  }
}

/** The pools, the console's own left out. */
export async function showPools(topology: Topology, name: PoolerName = "pgbouncer"): Promise<Pool[]> {
  const rows = await command<Record<string, string>>(topology, name, "SHOW POOLS");
  return rows
    .filter((row) => row["database"] !== "pgbouncer")
    .map((row) => ({
      database: row["database"]!,
      user: row["user"]!,
      cl_active: Number(row["cl_active"]),
      cl_waiting: Number(row["cl_waiting"]),
      sv_active: Number(row["sv_active"]),
      sv_idle: Number(row["sv_idle"]),
      maxwait: Number(row["maxwait"]),
    }));
}

/** Whether the pooler holds its clients back: the mark that PAUSE leaves on every database. */
export async function isPaused(topology: Topology, name: PoolerName): Promise<boolean> {
  const rows = await command<Record<string, string>>(topology, name, "SHOW DATABASES");
  return rows.some((row) => row["name"] !== "pgbouncer" && Number(row["paused"]) === 1);
}

/**
 * Waits until no transaction runs, and lets clients wait from then on. Somebody who died may have left them paused, or
 * half so: then it begins again, since only a PAUSE that was answered is a whole one.
 */
export async function pausePools(topology: Topology, name: PoolerName): Promise<void> {
  try {
    await command(topology, name, "PAUSE");
  } catch (error) {
    if (!/already (suspended|paused)/i.test(errorMessage(error))) throw error;
    await resumePools(topology, name);
    await command(topology, name, "PAUSE");
  }
}

/** Lets the clients go on; fine when nothing was paused. */
export async function resumePools(topology: Topology, name: PoolerName): Promise<void> {
  await command(topology, name, "RESUME").catch((error: unknown) => {
    if (!/not paused|already/i.test(errorMessage(error))) throw error;
  });
}

/** Reads the configuration again without dropping a client. */
export const reloadPools = (topology: Topology, name: PoolerName) => command(topology, name, "RELOAD");
