import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { Api, type ApiAnswer } from "../harness/api.ts";
import { ask, askAsSuperuser } from "../harness/clients.ts";
import type { TestHome } from "../harness/home.ts";
import { accountsReady, homeWithHub, makeKey, ownerOf } from "../harness/people.ts";

let home: TestHome;
let owner: Api;

beforeAll(async () => {
  home = await homeWithHub();
  owner = await ownerOf(home);
});
afterAll(() => home.destroy());

interface Access {
  password: string;
  pooled_url: string;
}
const create = (name: string, key: string, api = owner) =>
  api.post("/api/databases", { database_name: name }, { "idempotency-key": key });
const times = <T>(count: number, work: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => work(i));

/** What there is of a database: the database itself, its roles, and how often each step of its making was done. */
async function effects(name: string) {
  const databases = await askAsSuperuser(home, `SELECT 1 FROM pg_database WHERE datname LIKE '${name}%'`);
  const roles = await askAsSuperuser(home, `SELECT 1 FROM pg_roles WHERE rolname LIKE '${name}%'`);
  const { items } = (await owner.get("/api/operations?limit=1000&operation=database.provision")).json<{
    items: { id: string; state: string; input: { name: string } }[];
  }>();
  const mine = items.filter(({ input }) => input.name === name);
  const logs = await Promise.all(mine.map(({ id }) => owner.get(`/api/operations/${id}/log`)));
  const entries = logs.flatMap((log) => log.json<{ items: { step: string; event: string }[] }>().items);
  const done = entries.filter(({ step, event }) => step === "create-database" && event === "done").length;
  return {
    databases: databases.length,
    roles: roles.length,
    created: done,
    unfinished: mine.filter(({ state }) => state === "running").length,
  };
}
const ONCE = { databases: 1, roles: 3, created: 1, unfinished: 0 };

const doneLines = async (name: string) =>
  (await owner.get("/api/audit?limit=1000&action=database.provision"))
    .json<{ items: { target: string; result: string }[] }>()
    .items.filter(({ target, result }) => target === name && result === "done").length;

test("F79: the same request fifty times at once under one key has one effect, and fifty equal answers", async () => {
  const answers = await Promise.all(times(50, () => create("wanted", "one-key")));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  expect(new Set(answers.map(({ headers }) => headers["location"])).size).toBe(1);
  expect(await effects("wanted")).toEqual(ONCE);
  expect(await doneLines("wanted")).toBe(1);
  expect(await ask(answers[0]!.json<Access>().pooled_url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  expect((await create("wanted", "one-key")).text).toBe(answers[0]!.text);
});

test("F79: under fifty keys, and without any, it is made once as well; who comes late is told that it is there", async () => {
  const keyed = times(50, (i) => create("rushed", `key-${i}`));
  const bare = times(10, () => owner.post("/api/databases", { database_name: "rushed" }));
  const answers = await Promise.all([...keyed, ...bare]);
  expect(
    answers.filter(({ status, code }) => status !== 201 && code !== "database_exists").map(({ text }) => text),
  ).toEqual([]);
  const made = answers.filter(({ status }) => status === 201);
  expect(new Set(made.map((answer) => answer.json<Access>().password)).size).toBe(1);
  expect(await effects("rushed")).toEqual(ONCE);
});

test("F79: a key stands for one request of one caller", async () => {
  const other = Api.network(home).withKey(await makeKey(owner, "other", ["provision"]));
  expect((await create("first", "shared")).status).toBe(201);
  expect((await create("second", "shared")).code).toBe("idempotency_mismatch");
  expect((await owner.post("/api/databases/first/rotate", {}, { "idempotency-key": "shared" })).code).toBe(
    "idempotency_mismatch",
  );
  expect((await create("third", "shared", other)).status).toBe(201);
  expect((await create("first", "shared", other)).code).toBe("idempotency_mismatch");
  const names = (await askAsSuperuser<{ datname: string }>(home, "SELECT datname FROM pg_database")).map(
    (row) => row.datname,
  );
  expect([names.includes("second"), names.includes("third")]).toEqual([false, true]);
  // A refusal is no answer: the same key may try again.
  expect((await create("Bad", "again")).status).toBe(422);
  expect((await create("Bad", "again")).code).toBe("name_refused");
});

test("F79: an operation that is asked for again under its key is the same one", async () => {
  await create("turned", "make-turned");
  const answers = await Promise.all(
    times(20, () => owner.post("/api/databases/turned/rotate", {}, { "idempotency-key": "turn" })),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
  expect(new Set(answers.map(({ headers }) => headers["location"])).size).toBe(1);
  const keys = await Promise.all(
    times(20, () => owner.post("/api/keys", { name: "made once" }, { "idempotency-key": "k" })),
  );
  expect(new Set(keys.map(({ text }) => text)).size).toBe(1);
});

/** Kills the hub and waits until the agent has started another one. */
async function killHub(): Promise<void> {
  const before = (await home.pid("hub"))!;
  process.kill(before, "SIGKILL");
  const isBack = async () => {
    const now = await home.pid("hub");
    return now !== undefined && now !== before && (await owner.get("/healthz").catch(() => undefined))?.status === 200;
  };
  await waitUntil(isBack, { timeout: 30, what: "the agent starts the hub again" });
  await accountsReady(home);
}

/** Asks again until there is an answer, as a client does whose connection broke. */
async function insist(work: () => Promise<ApiAnswer>): Promise<ApiAnswer> {
  const { promise, resolve } = Promise.withResolvers<ApiAnswer>();
  const answered = async () => {
    const answer = await work().catch(() => undefined);
    if (!answer || [423, 503].includes(answer.status)) return false;
    resolve(answer);
    return true;
  };
  await waitUntil(answered, { timeout: 60, every: 200, what: "an answer" });
  return promise;
}

test("F79: an answer outlives the hub that gave it", async () => {
  const first = await create("kept", "outlives");
  await killHub();
  expect((await create("kept", "outlives")).text).toBe(first.text);
  expect(await effects("kept")).toEqual(ONCE);
});

test("F79: with the hub killed at any moment in between, whoever asks again under his key gets the answer, and it was made once", async () => {
  const wrong: unknown[] = [];
  for (const [i, delay] of [10, 60, 110, 200].entries()) {
    const name = `cut_${i}`;
    const asked = Promise.all(times(5, () => insist(() => create(name, `key of ${i}`.replaceAll(" ", "-")))));
    await pause(delay);
    await killHub();
    const answers = await asked;
    const texts = new Set(answers.map(({ text, status }) => `${status} ${text.replace(/"request_id":"[^"]*"/, "")}`));
    if (texts.size !== 1 || answers[0]!.status !== 201) wrong.push([name, delay, [...texts]]);
    else await ask(answers[0]!.json<Access>().pooled_url, "SELECT 1");
    // Killed between doing and noting, the step is found done by the next hub, and is noted as such.
    const { created, ...found } = await effects(name);
    if (created > 1 || JSON.stringify({ ...ONCE, ...found }) !== JSON.stringify(ONCE)) wrong.push([name, delay, found]);
  }
  expect(wrong).toEqual([]);
});
