import { sql } from "kysely";
import type { Seal } from "../core/sealed.ts";
import type { PlatformDatabase } from "./database.ts";

/** Hours for which an answer is given again (interfaces: "Idempotency-Key on POST, kept 24 h"). */
const KEPT_HOURS = 24;

/** Answers under their keys in the platform database. They may hold passwords: what is stored can be read by a hub alone. */
export class SealedAnswers<T> {
  readonly #database: PlatformDatabase;
  readonly #seal: () => Promise<Seal>;

  constructor(database: PlatformDatabase, seal: () => Promise<Seal>) {
    this.#database = database;
    this.#seal = seal;
  }

  /** @throws HomelabError `platform_database_away` */
  async find(id: string): Promise<T | undefined> {
    const row = await this.#database.session((db) =>
      db
        .selectFrom("idempotency_keys")
        .select("sealed")
        .where("id", "=", id)
        .where("created_at", ">", sql<Date>`now() - make_interval(hours => ${KEPT_HOURS})`)
        .executeTakeFirst(),
    );
    const text = row && (await this.#seal()).open(row.sealed);
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }

  /** What is kept last stays. @throws HomelabError `platform_database_away` */
  async keep(id: string, answer: T): Promise<void> {
    const sealed = (await this.#seal()).seal(JSON.stringify(answer));
    await this.#database.session((db) =>
      db
        .insertInto("idempotency_keys")
        .values({ id, sealed })
        .onConflict((conflict) => conflict.column("id").doUpdateSet({ sealed }))
        .execute(),
    );
  }

  /** Answers how many had had their day. */
  async removeExpired(): Promise<number> {
    const { numDeletedRows } = await this.#database.session((db) =>
      db
        .deleteFrom("idempotency_keys")
        .where("created_at", "<", sql<Date>`now() - make_interval(hours => ${KEPT_HOURS})`)
        .executeTakeFirstOrThrow(),
    );
    return Number(numDeletedRows);
  }
}
