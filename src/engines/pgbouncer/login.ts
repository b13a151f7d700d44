import { Client } from "pg";
import type { Topology } from "../../cluster/topology.ts";
import type { Login } from "../../cluster/urls.ts";
import { poolerPort } from "./config.ts";

/** Logs in through the pooler's socket, the shortest way through the same pools; answers whom the session acts as. */
export async function proveSocketLogin(topology: Topology, login: Login): Promise<string> {
  const client = new Client({
    host: topology.paths.run,
    port: poolerPort(topology, "pgbouncer"),
    ...login,
    connectionTimeoutMillis: 8000,
    application_name: "homelab-proof",
  });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ name: string }>("SELECT current_user::text AS name");
    return rows[0]!.name;
  } finally {
    await client.end().catch(() => {});
  }
}
