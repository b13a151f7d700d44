import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newRunId, runIdToUuid } from "../../src/core/ids.ts";
import { openFileJournal } from "../../src/journal/file.ts";
import { importContract, type ImportableStore } from "../../src/journal/import.contract.ts";
import { journalContract, type ContractOptions } from "../../src/journal/journal.contract.ts";
import { LEASE_SECONDS, type Holder } from "../../src/journal/journal.ts";
import { openPlatformJournal } from "../../src/journal/platform.ts";
import { migrate } from "../../src/store/migrate.ts";
import { TemporaryPostgres } from "../harness/temporary-postgres.ts";

/** The journal in the platform database does what every journal does, on a real PostgreSQL. */
let server: TemporaryPostgres;

beforeAll(async () => {
  server = await TemporaryPostgres.start();
});
afterAll(() => server.destroy());

async function platformStore({ clock, isAlive }: ContractOptions): Promise<ImportableStore & { name: string }> {
  const name = await server.createDatabase();
  const database = server.open(name);
  await migrate(database);
  return {
    name,
    connect: async (holder) => openPlatformJournal({ database, clock, holder, isAlive }),
    destroy: () => database.close(),
  };
}

async function fileStore({ clock, isAlive }: ContractOptions): Promise<ImportableStore> {
  const folder = await mkdtemp(join(tmpdir(), "hl-journal-"));
  const path = join(folder, "journal.db");
  return {
    connect: async (holder) => openFileJournal({ path, clock, holder, isAlive }),
    destroy: () => rm(folder, { recursive: true }),
  };
}

journalContract("the store in the platform database", platformStore);
importContract("from file to platform", { from: fileStore, to: platformStore });
importContract("from platform to file", { from: platformStore, to: fileStore });

const HOLDER: Holder = { pid: 1, startTicks: "1", bootId: "this machine" };

/** One run in a store of its own, with a hand on its clock. */
async function oneRun(more: { title?: string } = {}) {
  let now = Date.UTC(2026, 0, 1);
  const store = await platformStore({ clock: { now: () => now }, isAlive: () => true });
  const journal = await store.connect(HOLDER);
  const id = newRunId(now);
  const run = { id, operation: "database.provision", input: {}, steps: ["a", "b"], locks: [], caller: "key:laptop" };
  const admission = await journal.begin({ ...run, ...more });
  if (admission.kind !== "claimed") throw new Error(admission.kind);
  const row = async () => (await server.query<Record<string, unknown>>(store.name, "SELECT * FROM workflows"))[0]!;
  return { store, journal, id, claim: admission.claim, row, wait: (seconds: number) => void (now += seconds * 1000) };
}

test("a run is a workflow that other programs can read", async () => {
  const { journal, id, claim, row } = await oneRun({ title: "Create database shop" });
  expect(await row()).toMatchObject({
    id: runIdToUuid(id),
    name: "Create database shop",
    status: "running",
    workflow_type: "provision",
    created_by: "key:laptop",
    started_at: new Date(Date.UTC(2026, 0, 1)),
    completed_at: null,
    workflow_metadata: {},
    total_steps: 2,
  });
  await journal.append(claim, { step: "b", event: "started" });
  expect(await row()).toMatchObject({ current_step: "b" });
  await journal.finish(claim, "refused", { error: { code: "input_invalid", message: "no\0t so" } });
  expect(await row()).toMatchObject({
    status: "failed",
    state: "refused",
    error_message: "no\ufffdt so",
    completed_at: new Date(Date.UTC(2026, 0, 1)),
  });
  expect((await journal.get(id))!.error).toEqual({ code: "input_invalid", message: "no\0t so" });
});

test("a run without a title is called by its operation", async () => {
  const { journal, id, row } = await oneRun();
  expect(await row()).toMatchObject({ name: "database.provision" });
  expect(await journal.get(id)).not.toHaveProperty("title");
});

test("a workflow that is no operation is no run", async () => {
  const { store, journal } = await oneRun();
  const id = newRunId(1);
  await server.query(
    store.name,
    "INSERT INTO workflows (id, name, status, workflow_type) VALUES ($1, 'Deploy', 'pending', 'deploy')",
    [runIdToUuid(id)],
  );
  expect(await journal.list()).toHaveLength(1);
  expect(await journal.count()).toBe(1);
  expect(await journal.get(id)).toBeUndefined();
  expect(await journal.export(id)).toBeUndefined();
});

test.each(["", "op_", "op_nothing", "op_8ZZZZZZZZZZZZZZZZZZZZZZZZZ"] as const)("no run has the id %j", async (text) => {
  const { journal } = await oneRun();
  const id = text as `op_${string}`;
  expect([await journal.get(id), await journal.takeOver(id), await journal.export(id)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect([await journal.entries(id), await journal.requestCancel(id)]).toEqual([[], false]);
});

test("a holder on another machine is judged by its lease alone", async () => {
  const { store, id, wait } = await oneRun();
  const elsewhere = await store.connect({ pid: 1, startTicks: "1", bootId: "another machine" });
  const dead = openPlatformJournal({
    database: server.open(store.name),
    clock: { now: () => Date.UTC(2026, 0, 1) },
    holder: { ...HOLDER, bootId: "another machine" },
    isAlive: () => false,
  });
  expect(await elsewhere.takeOver(id)).toBeUndefined();
  expect(await dead.takeOver(id)).toBeUndefined();
  expect(await dead.interrupted()).toEqual([]);
  wait(LEASE_SECONDS + 1);
  expect(await elsewhere.takeOver(id)).toEqual({ runId: id, epoch: 2 });
});

test("to the process that leads, nobody else is at a run, however fresh its lease is", async () => {
  const { store, id } = await oneRun();
  let leads = false;
  const clock = { now: () => Date.UTC(2026, 0, 1) };
  const database = server.open(store.name);
  const holder = { ...HOLDER, bootId: "another machine" };
  const leader = openPlatformJournal({ database, clock, holder, isAlive: () => true, leads: () => leads });
  expect(await leader.takeOver(id)).toBeUndefined();
  leads = true;
  expect((await leader.interrupted()).map((run) => run.id)).toEqual([id]);
  expect(await leader.takeOver(id)).toEqual({ runId: id, epoch: 2 });
  expect(await leader.takeOver(id)).toBeUndefined();
  expect(await leader.interrupted()).toEqual([]);
});

test("only what must survive a power cut waits for the disk", async () => {
  const { store, journal, claim } = await oneRun();
  // What a transaction goes by is seen from inside: a trigger notes it with each line.
  await server.query(
    store.name,
    `CREATE TABLE noted (at text);
     CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN INSERT INTO noted VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
     CREATE TRIGGER note AFTER UPDATE ON workflows FOR EACH ROW EXECUTE FUNCTION note()`,
  );
  await journal.append(claim, { step: "a", event: "started" });
  await journal.renew(claim);
  await journal.append(claim, { step: "a", event: "done", barrier: true }, true);
  await journal.finish(claim, "completed", {});
  const rows = await server.query<{ at: string }>(store.name, "SELECT at FROM noted");
  expect(rows.map(({ at }) => at)).toEqual(["off", "off", "on", "on"]);
});
