import type { Revision } from "./revision.ts";

/** Answers that were given under an Idempotency-Key. They may hold passwords, so only their ciphertext is kept. */
export const idempotency: Revision = {
  name: "005_idempotency",
  up: [
    `CREATE TABLE idempotency_keys (
       id varchar(64) PRIMARY KEY,
       sealed text NOT NULL,
       created_at timestamptz NOT NULL DEFAULT now()
     )`,
    "CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at)",
  ],
  down: ["DROP TABLE idempotency_keys"],
};
