import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { sleep } from "../../src/core/clock.ts";
import { ask } from "./clients.ts";

/** Milliseconds between two rows, and before the next attempt after an error. */
const PAUSE = 5;

/** What was compared at the end. Rows in doubt (sent, and never answered) may be there or not. */
export interface Ledger {
  acked: number;
  inDoubt: number;
  lost: number[];
  unexpected: number[];
}

/**
 * Writes as an app would: one row after the other, each a transaction of its own, a new connection after any error.
 * It remembers which rows were acknowledged, and the longest time without an acknowledgement.
 */
export class Writer {
  readonly acked = new Set<number>();
  readonly inDoubt = new Set<number>();
  readonly errors: string[] = [];
  readonly #url: string;
  readonly #run = randomUUID();
  readonly #ended: Promise<void>;
  #client: Client | undefined;
  #next = 0;
  #lastAck = performance.now();
  #longest = 0;
  #stopping = false;

  private constructor(url: string) {
    this.#url = url;
    this.#ended = this.#write();
  }

  /** Makes the table where it is missing, and begins; answers once the first row was acknowledged. */
  static async start(url: string): Promise<Writer> {
    const table = "CREATE TABLE IF NOT EXISTS written (run uuid, n int, PRIMARY KEY (run, n))";
    // Two writers may make it at the same moment: then one of them is told that the name is taken.
    await ask(url, table).catch((error: { code?: string }) => {
      if (!["23505", "42P07", "42710"].includes(error.code ?? "")) throw error;
    });
    const writer = new Writer(url);
    await writer.isWriting();
    writer.mark();
    return writer;
  }

  /** Begins to measure the longest gap anew. */
  mark(): void {
    this.#lastAck = performance.now();
    this.#longest = 0;
  }

  /** Seconds of the longest time without an acknowledgement since the mark; the one that lasts counts too. */
  gap(): number {
    return Math.max(this.#longest, performance.now() - this.#lastAck) / 1000;
  }

  /** Waits until rows are acknowledged again. @throws Error after `seconds` */
  async isWriting(seconds = 90): Promise<void> {
    const before = this.acked.size;
    const end = performance.now() + seconds * 1000;
    while (this.acked.size < before + 3) {
      if (performance.now() > end) throw new Error(`no row was acknowledged for ${seconds} s: ${this.errors.at(-1)}`);
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#ended;
  }

  /** Compares what was acknowledged with what is there, through a fresh connection. */
  async ledger(url = this.#url): Promise<Ledger> {
    // It may go on writing meanwhile: what was acknowledged before the question must be in the answer.
    const acked = [...this.acked];
    const rows = await ask<{ n: number }>(url, "SELECT n FROM written WHERE run = $1", [this.#run]);
    const present = new Set(rows.map((row) => row.n));
    return {
      acked: acked.length,
      inDoubt: this.inDoubt.size,
      lost: acked.filter((n) => !present.has(n)),
      unexpected: [...present].filter((n) => !this.acked.has(n) && !this.inDoubt.has(n)),
    };
  }

  async #write(): Promise<void> {
    while (!this.#stopping) {
      await this.#one().catch((error: unknown) => this.#failed(error));
      await sleep(PAUSE);
    }
    await this.#drop();
  }

  async #one(): Promise<void> {
    this.#client ??= await this.#connect();
    const n = this.#next++;
    // Until the answer is there, nobody knows: in doubt.
    this.inDoubt.add(n);
    await this.#client.query("INSERT INTO written (run, n) VALUES ($1, $2)", [this.#run, n]);
    this.inDoubt.delete(n);
    this.acked.add(n);
    const now = performance.now();
    this.#longest = Math.max(this.#longest, now - this.#lastAck);
    this.#lastAck = now;
  }

  async #connect(): Promise<Client> {
    const client = new Client({
      connectionString: this.#url,
      connectionTimeoutMillis: 3000,
      query_timeout: 30_000,
      application_name: "writer",
    });
    client.on("error", () => {});
    await client.connect();
    return client;
  }

  /** Any error is retried, a read-only moment after a crash (SQLSTATE 25006) too: by a new connection. */
  async #failed(error: unknown): Promise<void> {
    const { code, message } = error as { code?: string; message: string };
    this.errors.push(`${code ?? "-"} ${message}`);
    await this.#drop();
    await sleep(PAUSE * 4);
  }

  async #drop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await Promise.race([client?.end().catch(() => {}), sleep(500)]);
  }
}
