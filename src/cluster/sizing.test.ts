import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { settingsFrom } from "../../tests/harness/sample-topology.ts";
import { dcsOnlyParameters, forcedParameters, postgresParameters, sizedParameters } from "./sizing.ts";

const GIB = 1024 ** 3;
const megabytes = (value: unknown): number => Number(/^(\d+)MB$/.exec(String(value))?.[1] ?? NaN);
const defaults = settingsFrom();

describe("sizedParameters", () => {
  test.each([
    [1, { max_connections: 125, shared_buffers: "128MB", effective_cache_size: "512MB", work_mem: "4MB" }],
    [8, { max_connections: 256, shared_buffers: "1024MB", effective_cache_size: "4096MB", work_mem: "8MB" }],
    [64, { max_connections: 500, shared_buffers: "4096MB", effective_cache_size: "32768MB", work_mem: "33MB" }],
  ])("of %d GB gives what a machine that also runs other things can bear", (gib, expected) => {
    expect(sizedParameters({ memoryBytes: gib * GIB, cores: 4 }, defaults.database)).toMatchObject(expected);
  });

  const machine = fc.record({
    memoryBytes: fc.integer({ min: 200 * 1024 ** 2, max: 4096 * GIB }),
    cores: fc.integer({ min: 1, max: 512 }),
  });

  test("stays within bounds on every machine", () => {
    fc.assert(
      fc.property(machine, (size) => {
        const sized = sizedParameters(size, defaults.database);
        expect(megabytes(sized["shared_buffers"])).toBeGreaterThanOrEqual(64);
        expect(megabytes(sized["shared_buffers"])).toBeLessThanOrEqual(4096);
        expect(megabytes(sized["work_mem"])).toBeGreaterThanOrEqual(4);
        expect(megabytes(sized["work_mem"])).toBeLessThanOrEqual(64);
        expect(megabytes(sized["maintenance_work_mem"])).toBeGreaterThanOrEqual(64);
        expect(megabytes(sized["maintenance_work_mem"])).toBeLessThanOrEqual(1024);
        expect(megabytes(sized["effective_cache_size"])).toBeGreaterThanOrEqual(256);
        expect(sized["max_parallel_workers_per_gather"]).toBeGreaterThanOrEqual(1);
        expect(sized["max_parallel_workers_per_gather"]).toBeLessThanOrEqual(4);
        expect(sized["max_parallel_workers"]).toBeLessThanOrEqual(Number(sized["max_worker_processes"]));
        for (const value of Object.values(sized)) expect(String(value)).toMatch(/^\d+(MB)?$/);
      }),
    );
  });

  test("leaves room for people and the platform beside the pool of one database", () => {
    fc.assert(
      fc.property(machine, fc.integer({ min: 1, max: 475 }), (size, pool) => {
        const sized = sizedParameters(size, { ...defaults.database, max_db_connections: pool });
        expect(Number(sized["max_connections"])).toBeGreaterThanOrEqual(Math.max(100, pool + 20));
        expect(Number(sized["max_connections"])).toBeLessThanOrEqual(500);
      }),
    );
  });

  test("gives a larger machine no less", () => {
    const pair = fc.tuple(machine, machine).map(([a, b]) => (a.memoryBytes < b.memoryBytes ? [a, b] : [b, a]));
    fc.assert(
      fc.property(pair, ([small, large]) => {
        const [less, more] = [sizedParameters(small!, defaults.database), sizedParameters(large!, defaults.database)];
        for (const name of ["shared_buffers", "effective_cache_size", "maintenance_work_mem"])
          expect(megabytes(more[name])).toBeGreaterThanOrEqual(megabytes(less[name]));
      }),
    );
  });
});

describe("postgresParameters", () => {
  const size = { memoryBytes: 8 * GIB, cores: 4 };

  test("lets the user's settings win over ours", () => {
    const { postgres, ...rest } = defaults;
    const extra = { max_connections: 300, checkpoint_timeout: "5min", my_own: "x" };
    expect(postgresParameters(size, { ...rest, postgres: { ...postgres, extra } })).toMatchObject(extra);
  });

  test("lets nobody change what the platform does not hold without", () => {
    const extra = Object.fromEntries(Object.keys(forcedParameters).map((name) => [name, "off"]));
    const parameters = postgresParameters(size, { ...defaults, postgres: { ...defaults.postgres, extra } });
    expect(parameters).toMatchObject(forcedParameters);
    expect(parameters).toMatchObject({ fsync: true, full_page_writes: true, password_encryption: "scram-sha-256" });
  });

  test("holds every setting that Patroni keeps in the DCS alone", () => {
    for (const name of dcsOnlyParameters) expect(postgresParameters(size, defaults)).toHaveProperty(name);
  });
});
