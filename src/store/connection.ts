import { readFile } from "node:fs/promises";
import type { PoolConfig } from "pg";
import type { Secrets } from "../config/secrets.ts";
import { PLATFORM_DATABASE, PLATFORM_ROLE } from "../cluster/platform-roles.ts";
import type { Topology } from "../cluster/topology.ts";
import { pinnedOptions } from "../engines/postgres/pinned.ts";

const COMMON: PoolConfig = {
  application_name: "homelab hub",
  max: 8,
  connectionTimeoutMillis: 1000,
  idleTimeoutMillis: 60_000,
  keepAlive: true,
};

/** Nothing that is set on the role or the database changes what our sessions see, and no statement waits for long. */
const CHANGED = {
  search_path: "public,pg_temp",
  statement_timeout: "5s",
  lock_timeout: "4s",
  // A hub that is frozen within a transaction holds its locks no longer than it would lead.
  idle_in_transaction_session_timeout: "3s",
};

/** How the platform reaches its own database: the one that JARVIS_DATABASE_URL named, or the cluster's, by its primary. */
export async function platformConnection(topology: Topology, secrets: () => Promise<Secrets>): Promise<PoolConfig> {
  const { jarvis_db, jarvis_database_url } = await secrets();
  if (jarvis_database_url) {
    // Of a server elsewhere the version is not known: only what the oldest has is pinned.
    const options = pinnedOptions({ postgresql: [13], superuser: false, changed: CHANGED });
    return { ...COMMON, options, connectionString: jarvis_database_url.reveal() };
  }
  return {
    ...COMMON,
    options: pinnedOptions({ postgresql: topology.versions.postgresql, superuser: false, changed: CHANGED }),
    host: topology.listen.includes("127.0.0.1") ? "127.0.0.1" : topology.listen[0],
    port: topology.ports.direct,
    // The certificate of each node holds this name, whichever of its addresses is asked.
    ssl: { ca: await readFile(topology.paths.caCertificate, "utf8"), servername: "localhost" },
    database: PLATFORM_DATABASE,
    user: PLATFORM_ROLE,
    password: jarvis_db.reveal(),
  };
}
