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
  // Two stores may have let runs in that hold each other off: one that is imported brings its locks all the same.
  `ALTER TABLE runs ADD COLUMN title TEXT;
   CREATE TABLE locks_of_runs (
     name TEXT NOT NULL,
     run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
     PRIMARY KEY (name, run_id)
   ) STRICT, WITHOUT ROWID;
   INSERT INTO locks_of_runs SELECT name, run_id FROM locks;
   DROP TABLE locks;
   ALTER TABLE locks_of_runs RENAME TO locks;`,
  // The store of all hubs lacks something of every run that it was not seen to have whole.
  `ALTER TABLE runs ADD COLUMN synced INTEGER NOT NULL DEFAULT 0;
   CREATE INDEX runs_unsynced ON runs (id) WHERE synced = 0;`,
];
