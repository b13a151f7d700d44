import { isLoopback, type Topology } from "./topology.ts";

/** A login and the database it is for. */
export interface Login {
  database: string;
  user: string;
  password: string;
}

export type UrlKind = "pooled" | "pooled_read_only" | "direct" | "direct_read_only";

/**
 * The URL of a login. PostgreSQL takes TLS only, so direct URLs verify the server against the cluster's own CA; the
 * pooler takes plain connections from this machine itself, so that any driver works with the URL as it is.
 */
export function connectionUrl(
  topology: Topology,
  login: Login,
  kind: UrlKind,
  host = topology.settings.network.host,
): string {
  const authority = host.includes(":") ? `[${host}]` : host;
  const credentials = `${encodeURIComponent(login.user)}:${encodeURIComponent(login.password)}`;
  const base = `postgresql://${credentials}@${authority}:${topology.ports[kind]}/${encodeURIComponent(login.database)}`;
  const plain = kind.startsWith("pooled") && (host === "localhost" || isLoopback(host));
  return plain ? base : `${base}?sslmode=verify-full&sslrootcert=${encodeURIComponent(topology.paths.caCertificate)}`;
}
