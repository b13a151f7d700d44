import { sql } from "kysely";
import type { PlatformTransaction } from "./database.ts";

/** What is done by one transaction at a time, whichever process it is of. The numbers are any, but each another one. */
const KEYS = { migrations: 730_143_001, journal: 730_143_002 };

/** Waits until no other transaction is at it; held to the end of this one. */
export async function oneAtATime(db: PlatformTransaction, what: keyof typeof KEYS): Promise<void> {
  await sql`SELECT pg_catalog.pg_advisory_xact_lock(${sql.lit(KEYS[what])})`.execute(db);
}
