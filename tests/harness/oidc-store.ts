/** A row of a provider's store. */
type Row = Record<string, unknown> & { uid?: string; grantId?: string };

/** What an OpenID Connect provider remembers, in memory: all that it stores has its own map, by id. */
export function memoryStore() {
  const models = new Map<string, Map<string, Row>>();
  return class {
    readonly #rows: Map<string, Row>;

    constructor(model: string) {
      this.#rows = models.get(model) ?? new Map<string, Row>();
      models.set(model, this.#rows);
    }

    async upsert(id: string, row: Row) {
      this.#rows.set(id, row);
    }

    async find(id: string) {
      return this.#rows.get(id);
    }

    async findByUid(uid: string) {
      return [...this.#rows.values()].find((row) => row.uid === uid);
    }

    async consume(id: string) {
      this.#rows.get(id)!["consumed"] = Math.floor(Date.now() / 1000);
    }

    async destroy(id: string) {
      this.#rows.delete(id);
    }

    async revokeByGrantId(grantId: string) {
      for (const [id, row] of this.#rows) if (row.grantId === grantId) this.#rows.delete(id);
    }
  };
}
