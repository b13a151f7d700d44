import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sleep, waitUntil } from "../../src/core/clock.ts";
import { ask, askAsSuperuser } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";
import { HubClient, leads, SecondHub } from "../harness/second-hub.ts";

let home: TestHome;
let first: HubClient;
let second: SecondHub;

beforeAll(async () => {
  home = await TestHome.up();
  first = new HubClient(home.port(5000), await home.secret("dashboard_api_key"));
  await waitUntil(() => leads(first), { timeout: 20, what: "the first hub leads" });
  second = await SecondHub.start(home);
});
afterAll(async () => {
  await second?.end();
  await home?.destroy();
});

const json = <T>(value: unknown): T => value as T;

/** What the platform database has of one operation. */
const workflow = async (title: string) =>
  askAsSuperuser<{ state: string; status: string; epoch: number; done: number }>(
    home,
    `SELECT w.state, w.status, w.epoch, (SELECT count(*)::int FROM workflow_steps s WHERE s.workflow_id = w.id AND s.event = 'done') AS done
     FROM workflows w WHERE w.name = '${title}'`,
    "homelab_jarvis",
  );

/** A database whose last dump takes some seconds. */
async function makeLarge(name: string): Promise<void> {
  const { pooled_url: url } = await home.createDatabase(name);
  await ask(url, "CREATE TABLE filler (noise text)");
  await ask(url, "INSERT INTO filler SELECT md5(n::text) || md5((n + 1)::text) FROM generate_series(1, 900000) n");
}

/** Begins to delete a database, and answers once its dump is being written. */
async function beginDeleting(hub: HubClient, name: string): Promise<string> {
  const { status, body } = await hub.ask("DELETE", `/api/databases/${name}`);
  expect(status).toBe(202);
  const id = String(body["id"]);
  const isDumping = async () => (await second.ask("GET", `/api/operations/${id}`)).body["current_step"] === "keep-dump";
  await waitUntil(isDumping, { timeout: 10, every: 10, what: "the dump is being written" });
  return id;
}

async function expectDeletedOnce(name: string, id: string): Promise<void> {
  const over = async () => (await second.ask("GET", `/api/operations/${id}`)).body["state"] === "completed";
  await waitUntil(over, { timeout: 60, every: 100, what: "the operation was finished" });
  expect(await workflow(`Delete database ${name}`)).toEqual([
    { state: "completed", status: "completed", epoch: 2, done: 4 },
  ]);
  const list = await second.ask("GET", "/api/deleted-databases");
  const deleted = json<{ name: string }[]>(list.body["items"]).filter((row) => row.name === name);
  expect(deleted).toHaveLength(1);
  expect(readdirSync(home.paths.dumps).filter((file) => file.includes("partial"))).toEqual([]);
}

describe("F80: of two hubs", () => {
  test("one leads; the other answers reads, and what it is asked to change the leader does", async () => {
    expect(await leads(second)).toBe(false);
    // It has only just begun: who leads it hears of at its first look.
    const knows = async () => (await second.ask("GET", "/api/hubs")).body["leader"] !== null;
    await waitUntil(knows, { timeout: 10, every: 50, what: "the other knows who leads" });
    const created = await second.ask("POST", "/api/databases", { database_name: "through_second" });
    expect(created).toMatchObject({ status: 201, body: { database: "through_second" } });
    expect(await ask(String(created.body["pooled_url"]), "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    for (const hub of [first, second]) {
      const { items } = (await hub.ask("GET", "/api/databases")).body;
      expect(json<{ name: string }[]>(items).map((row) => row.name)).toContain("through_second");
      expect((await hub.ask("POST", "/api/databases", { database_name: "through_second" })).status).toBe(409);
    }
    const { items } = (await first.ask("GET", "/api/audit?action=database.provision")).body;
    // Each change is one line, though two hubs had a hand in it.
    expect(
      json<{ target: string; result: string }[]>(items).map(({ target, result }) => `${target} ${result}`),
    ).toEqual(["through_second database_exists", "through_second database_exists", "through_second done"]);
  });

  test("a key that one makes is known to the other within a second, and revoked there as fast", async () => {
    const { body } = await first.ask("POST", "/api/keys", { name: "shared", scopes: ["read"] });
    const guest = new HubClient(second.port, String(body["key"]));
    const status = async () => (await guest.ask("GET", "/api/databases")).status;
    await waitUntil(async () => (await status()) === 200, { timeout: 1, every: 20, what: "the key is known" });
    expect((await first.ask("DELETE", `/api/keys/${String(body["prefix"])}`)).status).toBe(204);
    await waitUntil(async () => (await status()) === 401, { timeout: 1, every: 20, what: "the key is revoked" });
  });

  test("the other finishes what a leader was doing when it died, once", async () => {
    await makeLarge("large");
    const id = await beginDeleting(first, "large");
    // The node is gone: nobody starts its hub again.
    process.kill((await home.pid("agent"))!, "SIGSTOP");
    try {
      process.kill((await home.pid("hub"))!, "SIGKILL");
      await waitUntil(() => leads(second), { timeout: 20, what: "the second hub leads" });
      await expectDeletedOnce("large", id);
    } finally {
      process.kill((await home.pid("agent"))!, "SIGCONT");
    }
    await waitUntil(async () => (await first.ask("GET", "/healthz").catch(() => undefined))?.status === 200, {
      timeout: 20,
      what: "the first hub is back",
    });
    expect(await leads(first)).toBe(false);
  });

  test("a leader that was frozen and wakes up does no more", async () => {
    await second.end();
    await waitUntil(() => leads(first), { timeout: 20, what: "the first hub leads again" });
    second = await SecondHub.start(home);
    await makeLarge("frozen");
    const id = await beginDeleting(first, "frozen");
    const pid = (await home.pid("hub"))!;
    process.kill(pid, "SIGSTOP");
    try {
      await waitUntil(() => leads(second), { timeout: 20, what: "the second hub leads" });
      await expectDeletedOnce("frozen", id);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await sleep(3000);
    // It woke up in the middle of its own walk: nothing of that came through.
    await expectDeletedOnce("frozen", id);
    expect((await first.ask("GET", `/api/operations/${id}`)).body["state"]).toBe("completed");
    expect(await leads(first)).toBe(false);
  });
});
