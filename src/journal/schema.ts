/** The tables of the file store. `user_version` says which of these steps a file has seen. */
export const schemaSteps: readonly string[] = [
  `CREATE TABLE runs (
     id TEXT PRIMARY KEY,
     operation TEXT NOT NULL,
     input TEXT NOT NULL,
     fingerprint TEXT NOT NULL,
     steps TEXT NOT NULL,
     state TEXT NOT NULL,
     current_step TEXT,
     progress TEXT,
     caller TEXT NOT NULL,
     created_at TEXT NOT NULL,
     finished_at TEXT,
     result TEXT,
     error TEXT,
     cancel_requested INTEGER NOT NULL DEFAULT 0,
     epoch INTEGER NOT NULL DEFAULT 1,
     holder TEXT,
     lease_until INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX runs_state ON runs (state);
   CREATE TABLE entries (
     run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
     seq INTEGER NOT NULL,
     at TEXT NOT NULL,
     step TEXT NOT NULL,
     event TEXT NOT NULL,
     barrier INTEGER NOT NULL,
     output TEXT,
     says TEXT,
     PRIMARY KEY (run_id, seq)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE locks (
     name TEXT PRIMARY KEY,
     run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE
   ) STRICT, WITHOUT ROWID;`,
];
