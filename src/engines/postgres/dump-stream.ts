import { join } from "node:path";
import type { Topology } from "../../cluster/topology.ts";
import { HomelabError } from "../../core/errors.ts";
import type { Secret } from "../../core/secret.ts";
import { remove, writeAtomic } from "../../host/files.ts";
import { cleanEnvironment, pipe, type Piped } from "../../host/run.ts";
import { pgpassLine } from "../pgpass.ts";
import { streamDumpCommand, type ServerSocket } from "./dump.ts";
import { pinnedOptions } from "./pinned.ts";

/** What is dumped, and how. */
export interface DumpWish {
  database: string;
  superuser: Secret;
  /** Another server than the cluster's own. */
  server?: ServerSocket;
  /** Tells its files from those of others, in the home's run folder. */
  id: string;
  /** 0 to 9, as pg_dump takes it. */
  compression?: number;
  signal?: AbortSignal;
}

/** The environment of a client that works for hours: its password is in a file, and nothing ends it early. */
const clientEnvironment = (topology: Topology, pgpass: string): Record<string, string> =>
  cleanEnvironment({
    PGPASSFILE: pgpass,
    PGOPTIONS: pinnedOptions({
      postgresql: topology.versions.postgresql,
      superuser: true,
      changed: {
        statement_timeout: "0",
        lock_timeout: "0",
        idle_in_transaction_session_timeout: "0",
        // A session that waits for a lock would not notice otherwise that its client is gone.
        client_connection_check_interval: "2s",
      },
    }),
  });

/**
 * A database as pg_dump's custom format, as it is made. It breaks off with an error when pg_dump fails, so that half a
 * dump is never taken for a whole one. Whoever does not read on ends pg_dump by the signal.
 */
export async function* streamDump(topology: Topology, wish: DumpWish): AsyncGenerator<Buffer> {
  const pgpass = join(topology.paths.run, `dump-${wish.id}.pgpass`);
  const ending = new AbortController();
  const signal = wish.signal ? AbortSignal.any([wish.signal, ending.signal]) : ending.signal;
  try {
    await writeAtomic(pgpass, pgpassLine(wish.superuser.reveal()));
    const argv = streamDumpCommand(topology, wish.database, wish);
    const dumping = pipe({ argv, env: clientEnvironment(topology, pgpass), signal });
    dumping.stdin.end();
    for await (const chunk of dumping.stdout) yield chunk as Buffer;
    await succeeded(dumping, "pg_dump");
  } finally {
    ending.abort();
    await remove(pgpass);
  }
}

/** @throws HomelabError `process_failed`, with the last lines it wrote */
export async function succeeded(program: Piped, name: string, hint?: string): Promise<void> {
  const { exitCode, signal, stderr } = await program.ended;
  if (exitCode === 0) return;
  const how = signal ? `was ended by ${signal}` : `ended with ${exitCode}`;
  const lines = stderr.trim().split("\n").slice(-4).join("\n");
  throw new HomelabError("process_failed", `${name} ${how}${lines ? `: ${lines}` : ""}`, { hint });
}
