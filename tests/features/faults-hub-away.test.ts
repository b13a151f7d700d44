import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { Api } from "../harness/api.ts";
import { ask, askAsSuperuser, refusal } from "../harness/clients.ts";
import type { TestHome } from "../harness/home.ts";
import { homeWithHub, ownerOf } from "../harness/people.ts";

let home: TestHome;
let owner: Api;
let shop: { pooled_url: string; connection_url: string };
/** Sits on the hub's port, so that no hub can begin. */
const usurper: Server = createServer((socket) => socket.destroy());

beforeAll(async () => {
  home = await homeWithHub({
    HOMELAB_DATABASE__ROTATION_OVERLAP: "1s",
    HOMELAB_DATABASE__UNDELETE_WITHIN: "1s",
  });
  owner = await ownerOf(home);
  for (const name of ["shop", "wiki", "left"])
    expect((await owner.post("/api/databases", { database_name: name })).status).toBe(201);
  shop = (await owner.get("/api/databases/shop/url")).json();
});
afterAll(async () => {
  usurper.close();
  await home.destroy();
});

const works = async () => (await ask(shop.pooled_url, "SELECT 1 AS one").catch(() => []))[0]?.["one"] === 1;
const hubAnswers = async () =>
  (
    await Api.socket(home)
      .get("/healthz")
      .catch(() => undefined)
  )?.status === 200;

/** Kills the hub and keeps every other one from beginning. */
async function disableHub(): Promise<void> {
  const taken = async () => {
    const pid = await home.pid("hub");
    if (pid) process.kill(pid, "SIGKILL");
    return new Promise<boolean>((resolve) => {
      usurper.once("error", () => resolve(false));
      usurper.listen(home.port(5000), "127.0.0.1", () => resolve(true));
    });
  };
  await waitUntil(taken, { timeout: 30, every: 20, what: "the hub's port is ours" });
  await waitUntil(async () => !(await hubAnswers()), { timeout: 10, what: "no hub answers" });
}

test("F81: while no hub can begin, apps go on, dead engines are started again, and what was begun and what is due is done", async () => {
  await disableHub();
  expect(await works()).toBe(true);
  await home.run(["db", "create", "half"], {
    env: { HOMELAB_CRASH_AT: "database.provision:create-database:after-effect" },
  });
  await home.ok("db", "rotate", "shop");
  await home.ok("db", "delete", "wiki", "--yes");
  for (const service of ["pgbouncer", "haproxy", "etcd"]) {
    const before = (await home.pid(service))!;
    process.kill(before, "SIGKILL");
    const isBack = async () => {
      const now = await home.pid(service);
      return now !== undefined && now !== before;
    };
    await waitUntil(isBack, { timeout: 30, what: `${service} is started again` });
  }
  shop = (await home.ok("db", "url", "shop", "--json")).json();
  await waitUntil(works, { timeout: 30, what: "apps work" });
  const rows = async () =>
    (await askAsSuperuser<{ datname: string }>(home, "SELECT datname FROM pg_database")).map((row) => row.datname);
  const isPurged = async () => !(await rows()).some((name) => name.startsWith("deleted-"));
  await waitUntil(isPurged, { timeout: 100, every: 500, what: "what was deleted is dropped once its time is up" });
  const operations = async () =>
    (await home.ok("op", "list", "--json")).json<{
      items: { operation: string; state: string; caller: string; input: { name?: string } }[];
    }>().items;
  const isDone = async () => {
    const all = await operations();
    const rotation = all.find(({ operation }) => operation === "database.finish-rotation");
    const half = all.find(({ input }) => input.name === "half");
    return rotation?.state === "completed" && rotation.caller === "schedule" && half?.state === "completed";
  };
  await waitUntil(isDone, { timeout: 100, every: 500, what: "the rotation and what was interrupted are finished" });
  expect(await rows()).toEqual(expect.arrayContaining(["half", "left", "shop"]));
  expect(await hubAnswers()).toBe(false);
}, 170_000);

test("F81: the hub that can begin again leads, and nothing is done twice", async () => {
  await new Promise((resolve) => usurper.close(resolve));
  await waitUntil(hubAnswers, { timeout: 90, every: 200, what: "the hub is back" });
  const leads = async () => /^homelab_leader 1$/m.test((await owner.get("/metrics").catch(() => ({ text: "" }))).text);
  await waitUntil(leads, { timeout: 30, every: 200, what: "it leads" });
  expect((await owner.post("/api/databases", { database_name: "after" })).status).toBe(201);
  const { items } = (await owner.get("/api/operations?limit=1000")).json<{
    items: { operation: string; state: string }[];
  }>();
  const count = (name: string) => items.filter(({ operation }) => operation === name).length;
  expect([count("database.purge"), count("database.finish-rotation")]).toEqual([1, 1]);
  expect(items.filter(({ state }) => state !== "completed")).toEqual([]);
  expect(await refusal(ask(shop.connection_url, "SELECT 1"))).toBe("nothing was refused");
});
