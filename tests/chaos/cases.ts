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

const IN_NINE_DAYS = Date.now() + 9 * 86_400_000;

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
  "service.restart": (["postgres", "pgbouncer", "patroni"] as const).map((service) => ({
    prepare: async () => ({ service }),
  })),
};

/** Tested through the command line, since they begin where nothing runs (cluster-create.test.ts, cluster-converge.test.ts). */
export const clusterOperations = ["cluster.create", "cluster.converge"];
