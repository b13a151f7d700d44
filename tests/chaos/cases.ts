import { join } from "node:path";
import { anchorComment } from "../../src/engines/postgres/anchor.ts";
import type { Worker } from "./client.ts";

/** How an operation is put to the test. */
export interface ChaosCase {
  /** Brings about what the operation needs, and answers its input. */
  prepare(worker: Worker, database: string): Promise<unknown>;
  /** It takes seconds: it dies after each effect and before its line, and not also before and behind both. */
  isCostly?: true;
  /** The clock that it runs by, in milliseconds; the real one if there is none. */
  now?: number;
}

const run = (worker: Worker, operation: string, input: unknown, now?: number) =>
  worker.ask<{ result: Record<string, string> }>({ do: "run", operation, input, now });
const provision = (worker: Worker, name: string) => run(worker, "database.provision", { name });

/** Repositories of trials before; pgBackRest takes four at most. */
const added = new Set<string>();

/** A folder that can become a repository, with room among the repositories for it. */
async function folderFor(worker: Worker, database: string): Promise<{ type: "disk"; name: string; path: string }> {
  for (const name of added) await run(worker, "storage.remove", { name }).catch(() => {});
  added.clear();
  const { rows } = await worker.ask<{ rows: { path: string }[] }>({
    do: "sql",
    text: "SELECT current_setting('data_directory') AS path",
  });
  const name = database.replaceAll("_", "-");
  added.add(name);
  return { type: "disk", name, path: join(rows[0]!.path, "..", "..", "repositories", database) };
}

const IN_NINE_DAYS = Date.now() + 9 * 86_400_000;

let made: Promise<unknown> | undefined;
const fullBackup = (worker: Worker) => (made ??= run(worker, "backup.create", { type: "full" }));

/** One database, and a backup that has it, serve all restores: nothing of them is changed. */
const SOURCE = "restore_source";
let sourceMade: Promise<unknown> | undefined;
const makeSource = (worker: Worker) =>
  (sourceMade ??= provision(worker, SOURCE).then(() => run(worker, "backup.create", { type: "full" })));

/** What a restore leaves, without the restore: a database beside another one, and the role that says so. */
async function putBeside(worker: Worker, name: string): Promise<string> {
  const beside = `${name}_then`;
  const at = new Date().toISOString();
  await provision(worker, name);
  const restored = { of: name, name: beside, at, asOf: at, backup: "20261120-020000F@local" };
  const anchor = { database: beside, owner: `${name}_owner`, protected: false, createdAt: at, restored };
  for (const text of [
    // A database with sessions is no template.
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`,
    `CREATE DATABASE ${beside} TEMPLATE ${name} OWNER ${name}_owner CONNECTION LIMIT 0`,
    `CREATE ROLE ${beside}_app NOLOGIN`,
    `COMMENT ON ROLE ${beside}_app IS '${anchorComment(anchor)}'`,
  ])
    await worker.ask({ do: "sql", text });
  return beside;
}
/** Everything that was committed until now. */
const toTheLatest = { cluster: "homelab", latest: true };

/** There is something that a restore has replaced. */
let replaced: Promise<unknown> | undefined;
const replaceOnce = (worker: Worker) =>
  (replaced ??= fullBackup(worker).then(() => run(worker, "cluster.restore", toTheLatest)));

/** A case for each operation that works on a running cluster; the test fails when one of the registry has none. */
export const cases: Record<string, ChaosCase[]> = {
  "database.provision": [
    { prepare: async (_worker, name) => ({ name, extensions: ["pg_trgm"], connection_limit: 7 }) },
  ],
  "database.drop": [{ prepare: async (worker, name) => (await provision(worker, name), { name }) }],
  "database.undelete": [
    {
      async prepare(worker, name) {
        await provision(worker, name);
        await run(worker, "database.drop", { name });
        return { name };
      },
    },
  ],
  "database.purge": [
    {
      async prepare(worker, name) {
        await provision(worker, name);
        const { result } = await run(worker, "database.drop", { name });
        return { deleted_name: result["deleted_name"] };
      },
      now: IN_NINE_DAYS,
    },
  ],
  "database.rotate-password": [{ prepare: async (worker, name) => (await provision(worker, name), { name }) }],
  "database.finish-rotation": [
    {
      async prepare(worker, name) {
        await provision(worker, name);
        await run(worker, "database.rotate-password", { name });
        return { name };
      },
    },
  ],
  // The first is full by itself; from then on there is little to copy.
  "backup.create": [{ prepare: async (_worker, name) => ({ type: "incr", note: name }), isCostly: true }],
  "backup.check": [{ prepare: async (worker) => (await fullBackup(worker), {}), isCostly: true }],
  "backup.verify": [{ prepare: async (worker) => (await fullBackup(worker), {}), isCostly: true }],
  "database.restore": [
    {
      async prepare(worker, name) {
        await makeSource(worker);
        return { database: SOURCE, backup: "latest", as: name };
      },
      isCostly: true,
    },
  ],
  "database.switch-to": [{ prepare: async (worker, name) => ({ name: await putBeside(worker, name) }) }],
  "database.switch-back": [
    {
      async prepare(worker, name) {
        await run(worker, "database.switch-to", { name: await putBeside(worker, name) });
        return { name };
      },
    },
  ],
  "database.discard": [
    { prepare: async (worker, name) => ({ name: await putBeside(worker, name) }) },
    {
      async prepare(worker, name) {
        const { result } = await run(worker, "database.switch-to", { name: await putBeside(worker, name) });
        return { name: result["replaced"] };
      },
    },
  ],
  "database.import": [
    {
      async prepare(worker, name) {
        const origin = `s_${name}`;
        await run(worker, "database.provision", { name: origin, extensions: ["pg_trgm"] });
        const { result } = await run(worker, "database.backup", { name: origin });
        return { name, dump: result["id"] };
      },
      isCostly: true,
    },
  ],
  "database.backup": [{ prepare: async (worker, name) => (await provision(worker, name), { name }), isCostly: true }],
  "database.branch": [
    {
      async prepare(worker, name) {
        const origin = `s_${name}`;
        await run(worker, "database.provision", { name: origin, extensions: ["pg_trgm"] });
        return { name: origin, new_name: name };
      },
      isCostly: true,
    },
  ],
  "storage.add": [{ prepare: folderFor, isCostly: true }],
  "storage.remove": [
    {
      async prepare(worker, database) {
        const input = await folderFor(worker, database);
        await run(worker, "storage.add", input);
        return { name: input.name };
      },
    },
  ],
  "service.restart": (["postgres", "pgbouncer", "patroni"] as const).map((service) => ({
    prepare: async () => ({ service }),
  })),
  "cluster.restore": [
    {
      async prepare(worker, name) {
        await provision(worker, name);
        await fullBackup(worker);
        return toTheLatest;
      },
      isCostly: true,
    },
  ],
  "cluster.undo-restore": [
    {
      async prepare(worker) {
        await replaceOnce(worker);
        return { cluster: "homelab" };
      },
      isCostly: true,
    },
  ],
  "cluster.discard-replaced": [
    { prepare: async (worker, name) => (await worker.ask({ do: "replace-data", name }), { all: true }) },
  ],
};

/** Tested through the command line, since they begin where nothing runs (cluster-create.test.ts, cluster-converge.test.ts, cluster-recover.test.ts). */
export const clusterOperations = ["cluster.create", "cluster.converge", "cluster.recover"];
