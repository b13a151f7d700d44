import { Socket } from "node:net";
import { Client, type QueryResultRow } from "pg";
import { HomelabError, errorMessage } from "../../core/errors.ts";
import type { Secrets } from "../../config/secrets.ts";
import { postgresSocket, type Topology } from "../../cluster/topology.ts";
import { pinnedOptions } from "./pinned.ts";

/** The platform's own roles: the superuser changes things, the monitor only looks. */
export type PlatformRole = "postgres" | "homelab_monitor";

/** A session of the platform. */
export interface Session {
  query<R extends QueryResultRow>(text: string, values?: unknown[]): Promise<R[]>;
  /** Several statements as one transaction: all or nothing. */
  transaction(statements: string[]): Promise<void>;
}

/** Milliseconds after which a look is given up: sizes of many databases take a while, and nothing else does. */
const LONGEST_LOOK = 30_000;

/** Milliseconds that a session inside a database is kept after its last use. */
const KEEP_INSIDE = 250;

/** The session inside another database. */
interface Inside {
  database: string;
  client: Promise<Client>;
  timer: NodeJS.Timeout | undefined;
}

/** The sessions of one process: one kept open to the database postgres, others opened where they are needed. */
export class PostgresSessions {
  readonly #topology: Topology;
  readonly #secrets: Secrets;
  readonly #kept = new Map<PlatformRole, Promise<Client>>();
  #inside: Inside | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(topology: Topology, secrets: Secrets) {
    this.#topology = topology;
    this.#secrets = secrets;
  }

  /** The session to the database postgres that this process keeps. */
  async admin(): Promise<Session> {
    return session(await this.#keep("postgres"));
  }

  /**
   * The looking session: pg_monitor, no superuser. Where a look takes too long, its connection is ended: those who ask
   * again would otherwise queue behind a server that hangs.
   */
  async monitor(): Promise<Session> {
    return session(await this.#keep("homelab_monitor"), LONGEST_LOOK);
  }

  /**
   * A superuser's session inside another database, for the time of `work`. It is kept for a moment: the steps of one
   * operation follow one another closely, and a login costs more than what they do. One at a time: whoever wants into
   * another database waits until the one before is done, and must not ask from within.
   */
  within<T>(database: string, work: (session: Session) => Promise<T>): Promise<T> {
    const done = this.#turn.then(() => this.#workInside(database, work));
    this.#turn = done.catch(() => {});
    return done;
  }

  async #workInside<T>(database: string, work: (session: Session) => Promise<T>): Promise<T> {
    if (this.#inside?.database !== database) await this.leave();
    clearTimeout(this.#inside?.timer);
    const inside = (this.#inside ??= this.#enter(database));
    try {
      return await work(session(await inside.client));
    } catch (error) {
      await this.leave();
      throw error;
    } finally {
      inside.timer = setTimeout(() => void this.leave(), KEEP_INSIDE).unref();
    }
  }

  #enter(database: string): Inside {
    const inside: Inside = { database, client: this.#connect("postgres", database), timer: undefined };
    const forget = () => this.#inside === inside && (this.#inside = undefined);
    inside.client.then((client) => client.once("end", forget)).catch(() => {});
    return inside;
  }

  /** Leaves the database that `within` was in: a session there would hold off a rename. */
  async leave(): Promise<void> {
    const inside = this.#inside;
    this.#inside = undefined;
    clearTimeout(inside?.timer);
    await inside?.client.then((client) => client.end()).catch(() => {});
  }

  /** Ends every session; the next call opens new ones. */
  async end(): Promise<void> {
    const kept = [...this.#kept.values()];
    this.#kept.clear();
    await this.leave();
    await Promise.allSettled(kept.map(async (client) => (await client).end()));
  }

  #keep(role: PlatformRole): Promise<Client> {
    const known = this.#kept.get(role);
    if (known) return known;
    const opening = this.#connect(role, "postgres").then((client) => {
      const forget = () => this.#kept.get(role) === opening && this.#kept.delete(role);
      client.on("error", forget).on("end", forget);
      return client;
    });
    opening.catch(() => this.#kept.delete(role));
    this.#kept.set(role, opening);
    return opening;
  }

  async #connect(user: PlatformRole, database: string): Promise<Client> {
    const socket = postgresSocket(this.#topology);
    const wire = new Socket();
    const client = new Client({
      stream: () => wire,
      host: socket.directory,
      port: socket.port,
      user,
      database,
      password: this.#secrets[user === "postgres" ? "superuser" : "monitor"].reveal(),
      application_name: "homelab",
      connectionTimeoutMillis: 5000,
      // Questions that are asked at once are one round trip; each keeps an answer and an error of its own.
      pipeline: true,
      options: pinnedOptions({ postgresql: this.#topology.versions.postgresql, superuser: user === "postgres" }),
    });
    wires.set(client, wire);
    client.on("error", () => {});
    try {
      await client.connect();
      return client;
    } catch (cause) {
      throw new HomelabError("engine_unreachable", `PostgreSQL (database ${database}): ${errorMessage(cause)}`, {
        cause,
        hint: "homelab health shows what is down; homelab up starts what is stopped.",
      });
    }
  }
}

/** The wire of each connection, so that one that hangs can be cut. */
const wires = new WeakMap<Client, Socket>();

function session(client: Client, longest?: number): Session {
  return {
    async query<R extends QueryResultRow>(text: string, values?: unknown[]) {
      const timer = longest === undefined ? undefined : setTimeout(() => wires.get(client)?.destroy(), longest).unref();
      return (await client.query<R>(text, values).finally(() => clearTimeout(timer))).rows;
    },
    async transaction(statements) {
      try {
        // One message: the server runs it as one transaction, and there is one round trip.
        await client.query(`BEGIN;${statements.join(";")};COMMIT`);
      } catch (error) {
        await client.query("ROLLBACK").catch(() => {});
        throw error;
      }
    },
  };
}
