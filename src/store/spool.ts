import { DatabaseSync } from "node:sqlite";
import type { Json } from "../core/json.ts";

/** Something that is to be written to the platform database once it is back. */
export interface Spooled {
  id: string;
  payload: Json;
}

/** Keeps what could not be written, in order, until it was. */
export interface Spool {
  /** Keeps an entry; one of the same kind and id that is kept already stays as it is. */
  put(kind: string, id: string, payload: Json): void;
  /**
   * Hands the entries of a kind over, the oldest first, some at a time, and forgets them once `write` has committed. A
   * process that ends in between hands them over again: writing goes by the id. Answers how many were written.
   */
  drain(kind: string, write: (entries: Spooled[]) => Promise<void>): Promise<number>;
  count(kind: string): number;
  close(): void;
}

/** Entries that are handed over in one transaction. */
const BATCH = 100;

/** A spool in an SQLite file. An entry is on disk before `put` comes back. */
export function openSpool(path: string): Spool {
  return new FileSpool(path);
}

class FileSpool implements Spool {
  readonly #db: DatabaseSync;
  #draining: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#db = new DatabaseSync(path, { timeout: 10_000 });
    this.#db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      CREATE TABLE IF NOT EXISTS spool (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL, UNIQUE (kind, id)
      ) STRICT`);
  }

  put(kind: string, id: string, payload: Json): void {
    this.#db
      .prepare("INSERT INTO spool (kind, id, payload) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
      .run(kind, id, JSON.stringify(payload));
  }

  drain(kind: string, write: (entries: Spooled[]) => Promise<void>): Promise<number> {
    // One after the other: two at once would hand the same entries over, and change their order.
    const done = this.#draining.then(() => this.#drainNow(kind, write));
    this.#draining = done.catch(() => {});
    return done;
  }

  count(kind: string): number {
    const row = this.#db.prepare("SELECT count(*) AS n FROM spool WHERE kind = ?").get(kind) as { n: number };
    return row.n;
  }

  close(): void {
    this.#db.close();
  }

  async #drainNow(kind: string, write: (entries: Spooled[]) => Promise<void>): Promise<number> {
    const next = this.#db.prepare("SELECT seq, id, payload FROM spool WHERE kind = ? ORDER BY seq LIMIT ?");
    for (let written = 0; ;) {
      const rows = next.all(kind, BATCH) as { seq: number; id: string; payload: string }[];
      if (rows.length === 0) return written;
      await write(rows.map(({ id, payload }) => ({ id, payload: JSON.parse(payload) as Json })));
      this.#db.prepare("DELETE FROM spool WHERE kind = ? AND seq <= ?").run(kind, rows.at(-1)!.seq);
      written += rows.length;
    }
  }
}
