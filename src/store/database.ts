import { Kysely, PostgresDialect, sql, type Transaction } from "kysely";
import { Client, Pool, types, type PoolClient, type PoolConfig, type QueryResultRow } from "pg";
import { HomelabError, errorMessage } from "../core/errors.ts";
import { away, isAway } from "./away.ts";
import type { Tables } from "./tables.ts";

/** Work inside one transaction. */
export type PlatformTransaction = Transaction<Tables>;

/** The object identifier of the type `date` (pg_type.dat). */
const DATE = 1082;

/** A date stays text: the driver's default would make it midnight of this machine's zone. A bigint is text by default. */
const typeParsers: PoolConfig["types"] = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === DATE ? (value: string) => value : types.getTypeParser(oid, format),
};

/** Seconds that one session may take; statements end on the server's side before. */
const SESSION_SECONDS = 6;

/** The platform's own database: a pool that is opened by the first who asks, and opened again after it was away. */
export class PlatformDatabase {
  readonly #connect: () => Promise<PoolConfig>;
  #pool: Promise<Pool> | undefined;
  #closed = false;

  /** @param options `connect` is asked late, so that there need be no secrets when this is made */
  constructor(options: { connect: () => Promise<PoolConfig> }) {
    this.#connect = options.connect;
  }

  /**
   * One transaction: commits at its end, rolls back on an error.
   * @throws HomelabError `platform_database_away` when it cannot be reached, or did not answer within `seconds`
   */
  async session<T>(work: (db: PlatformTransaction) => Promise<T>, seconds = SESSION_SECONDS): Promise<T> {
    return this.#with((client) => transaction(client, work), seconds);
  }

  /**
   * One statement, which is a transaction by itself: a single trip to the server and back.
   * @throws HomelabError `platform_database_away` as `session` does
   */
  async statement<R extends QueryResultRow>(text: string, values: unknown[], seconds = SESSION_SECONDS): Promise<R[]> {
    return this.#with(async (client) => (await client.query<R>(text, values)).rows, seconds);
  }

  async #with<T>(work: (client: PoolClient) => Promise<T>, seconds: number): Promise<T> {
    const client = await this.#client();
    const guard = limit(client, seconds);
    try {
      const result = await Promise.race([work(client), guard.passed]);
      client.release();
      return result;
    } catch (error) {
      const gone = isAway(error);
      // What work left behind on a connection that may be dead is nobody's any more.
      client.release(gone);
      throw gone ? away(error) : error;
    } finally {
      guard.clear();
    }
  }

  /** Whether it answers and takes writes. Never throws. */
  async health(): Promise<{ healthy: boolean; message: string }> {
    const started = performance.now();
    try {
      const { rows } = await this.session(
        (db) =>
          sql<{ version: string; standby: boolean }>`
            SELECT pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1) AS version, pg_catalog.pg_is_in_recovery() AS standby`.execute(
            db,
          ),
        2,
      );
      const { version, standby } = rows[0]!;
      if (standby) return { healthy: false, message: "the platform's database is read-only: it is a standby" };
      return {
        healthy: true,
        message: `PostgreSQL ${version} answers in ${Math.ceil(performance.now() - started)} ms`,
      };
    } catch (error) {
      return { healthy: false, message: errorMessage(error) };
    }
  }

  /**
   * Hears what is notified on a channel, over a connection of its own. `ended` is called once when that connection goes;
   * whoever listens asks again, and looks at what it may have missed.
   * @throws HomelabError `platform_database_away`
   */
  async listen(
    channel: string,
    heard: (payload: string) => void,
    ended: () => void,
  ): Promise<{ close(): Promise<void> }> {
    try {
      const client = new Client(await this.#connect());
      client.on("error", () => {});
      client.on("notification", ({ payload }) => heard(payload ?? ""));
      await client.connect();
      await client.query(`LISTEN ${client.escapeIdentifier(channel)}`);
      client.once("end", ended);
      return { close: () => client.end().catch(() => {}) };
    } catch (error) {
      throw away(error);
    }
  }

  /** Ends the pool; later sessions find the database away. */
  async close(): Promise<void> {
    this.#closed = true;
    const pool = this.#pool;
    this.#pool = undefined;
    await (await pool?.catch(() => undefined))?.end();
  }

  async #client(): Promise<PoolClient> {
    const opening = (this.#pool ??= this.#open());
    try {
      return await (await opening).connect();
    } catch (error) {
      // A login that was refused may go by an old password: the next one asks for the configuration again.
      if (this.#pool === opening && !/timeout exceeded/.test(errorMessage(error))) this.#forget(opening);
      throw away(error);
    }
  }

  async #open(): Promise<Pool> {
    if (this.#closed) throw new HomelabError("platform_database_away", "the platform's database was closed");
    const pool = new Pool({ types: typeParsers, ...(await this.#connect()) });
    // An idle connection that breaks is replaced; without a listener it would end this process.
    return pool.on("error", () => {});
  }

  #forget(opening: Promise<Pool>): void {
    this.#pool = undefined;
    void opening.then((pool) => pool.end()).catch(() => {});
  }
}

/** A transaction on this very connection, as kysely runs it. */
function transaction<T>(client: PoolClient, work: (db: PlatformTransaction) => Promise<T>): Promise<T> {
  const one = {
    query: client.query.bind(client),
    release: () => {},
  };
  const pool = { connect: async () => one, end: async () => {}, options: {} };
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) }).transaction().execute(work);
}

/** A server that is stopped, or behind a wire that was cut, says nothing at all: then the connection is ended. */
function limit(client: PoolClient, seconds: number): { passed: Promise<never>; clear(): void } {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  const timer = setTimeout(() => reject(away(`no answer within ${seconds} s`)), seconds * 1000);
  client.once("error", reject);
  return {
    passed: promise,
    clear: () => {
      clearTimeout(timer);
      client.off("error", reject);
    },
  };
}
