import { Client } from "pg";

/** Who a login turned out to be. */
export interface ProvenLogin {
  sessionUser: string;
  currentUser: string;
  readOnly: boolean;
}

/** Logs in with a URL as an app would, and asks who it is. @throws the driver's error */
export async function proveLogin(url: string): Promise<ProvenLogin> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: 5000,
    application_name: "homelab-proof",
  });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<ProvenLogin>(
      `SELECT session_user::text AS "sessionUser", current_user::text AS "currentUser",
              pg_catalog.current_setting('transaction_read_only') = 'on' AS "readOnly"`,
    );
    return rows[0]!;
  } finally {
    await client.end().catch(() => {});
  }
}
