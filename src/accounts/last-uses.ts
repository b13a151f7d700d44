import { sql } from "kysely";
import type { PlatformDatabase } from "../store/database.ts";

/** When keys and sessions were last used. Written now and then: a request must not wait for it. */
export class LastUses {
  readonly #keys = new Map<string, string>();
  readonly #sessions = new Map<string, string>();

  /** Notes a use. */
  note(kind: "key" | "session", id: string, at: string): void {
    (kind === "key" ? this.#keys : this.#sessions).set(id, at);
  }

  /** The later one of what is stored and what was noted here. */
  latest<T extends string | null>(id: string, stored: T): T | string {
    const noted = this.#keys.get(id) ?? this.#sessions.get(id);
    return noted !== undefined && (stored === null || noted > stored) ? noted : stored;
  }

  /** Writes what was noted since the last time; it counts as no change of the accounts. @throws HomelabError `platform_database_away` */
  async write(database: PlatformDatabase): Promise<void> {
    const [keys, sessions] = [[...this.#keys], [...this.#sessions]];
    if (keys.length + sessions.length === 0) return;
    await database.session(async (db) => {
      for (const [id, at] of keys) {
        const later = sql<string>`greatest(last_used_at, ${at}::timestamptz)`;
        await db.updateTable("api_keys").set({ last_used_at: later }).where("id", "=", id).execute();
      }
      for (const [id, at] of sessions) {
        const later = sql<string>`greatest(seen_at, ${at}::timestamptz)`;
        await db.updateTable("web_sessions").set({ seen_at: later }).where("id", "=", id).execute();
      }
    });
    forget(this.#keys, keys);
    forget(this.#sessions, sessions);
  }
}

/** What was noted again meanwhile stays. */
function forget(noted: Map<string, string>, written: [string, string][]): void {
  for (const [id, at] of written) if (noted.get(id) === at) noted.delete(id);
}
