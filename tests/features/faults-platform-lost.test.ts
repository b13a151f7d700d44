import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { run } from "../../src/host/run.ts";
import { Api } from "../harness/api.ts";
import { ask, askAsSuperuser } from "../harness/clients.ts";
import type { TestHome } from "../harness/home.ts";
import {
  accountsReady,
  browser,
  homeWithHub,
  makeAdmin,
  makeKey,
  ownerOf,
  passwordOf,
  signIn,
} from "../harness/people.ts";

const PLATFORM = "homelab_jarvis";

let home: TestHome;
let owner: Api;
let open: Api;
/** What was made before the dump, and after it. */
const before: Record<string, string> = {};
const after: Record<string, string> = {};
let shop: string;

beforeAll(async () => {
  home = await homeWithHub();
  owner = await ownerOf(home);
  open = Api.network(home);
  before["session"] = await makeAdmin(home);
  before["key"] = await makeKey(owner, "kept", ["read"]);
  before["revoked later"] = await makeKey(owner, "revoked later", ["admin"]);
  await owner.post("/api/users", { name: "grace", role: "admin", password: passwordOf("grace") });
  shop = (await owner.post("/api/databases", { database_name: "shop" })).json<{ pooled_url: string }>().pooled_url;
  await postgres("pg_dump", "-Fc", "-f", join(home.root, "..", "old.dump"), PLATFORM);
  after["key"] = await makeKey(owner, "made later", ["provision"]);
  await owner.post("/api/users", { name: "linus", role: "operator", password: passwordOf("linus") });
  after["session"] = await signIn(open, "linus");
  await owner.delete(`/api/keys/${before["revoked later"].split("_")[1]}`);
  await owner.patch("/api/users/grace", { disabled: true });
  await owner.post("/api/databases", { database_name: "wiki" });
  await owner.delete("/api/databases/wiki?wait=60");
  await owner.post("/api/databases", { database_name: "blog" });
});
afterAll(() => home.destroy());

/** A program of PostgreSQL as the superuser over the socket. */
async function postgres(program: string, ...args: string[]): Promise<void> {
  const env = { PGPASSWORD: await home.secret("superuser"), PATH: process.env["PATH"]! };
  await run({ argv: [program, "-h", home.paths.run, "-p", String(home.port(5431)), "-U", "postgres", ...args], env });
}

const databases = async () =>
  (
    await askAsSuperuser<{ name: string }>(
      home,
      `SELECT datname AS name FROM pg_database WHERE datname <> '${PLATFORM}' ORDER BY 1`,
    )
  ).map(({ name }) => name);

/** Everything that was known before is known now, and what was taken away stays away. */
async function expectEverything(): Promise<void> {
  const status = async (api: Api) => (await api.get("/api/session")).status;
  expect(await status(open.withKey(before["key"]!))).toBe(200);
  expect(await status(open.withKey(after["key"]!))).toBe(200);
  expect(await status(browser(open, before["session"]!))).toBe(200);
  expect(await status(browser(open, after["session"]!))).toBe(200);
  expect(await status(open.withKey(before["revoked later"]!)), "a revoked key").toBe(401);
  expect((await open.post("/api/session", { user_name: "grace", password: passwordOf("grace") })).status).toBe(401);
  const users = (await owner.get("/api/users")).json<{ items: { name: string; disabled: boolean }[] }>().items;
  expect(users.map(({ name, disabled }) => [name, disabled])).toEqual([
    ["ada", false],
    ["grace", true],
    ["linus", false],
  ]);
  const list = (await owner.get("/api/databases")).json<{ items: { name: string; managed: boolean }[] }>().items;
  expect(
    list
      .filter(({ managed }) => managed)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(["blog", "shop"]);
  const deleted = (await owner.get("/api/deleted-databases")).json<{ items: { name: string }[] }>().items;
  expect(deleted.map(({ name }) => name)).toEqual(["wiki"]);
  expect(await ask(shop, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
}

/** The platform's database works: its schema is the newest, and a change of the accounts is written. */
async function expectBack(name: string): Promise<void> {
  await waitUntil(async () => (await owner.get("/api/platform/health")).json<{ healthy: boolean }>().healthy, {
    timeout: 60,
    what: "the database is back",
  });
  await accountsReady(home);
  const works = async () => (await owner.post("/api/keys", { name })).status === 201;
  await waitUntil(works, { timeout: 30, every: 500, what: "a key can be made" });
  const rows = await askAsSuperuser<{ name: string }>(home, "SELECT name FROM users ORDER BY 1", PLATFORM);
  expect(rows.map((row) => row.name)).toEqual(["ada", "grace", "linus"]);
}

test("F82: with the platform's database dropped, everybody is known as before, and it is made and filled again by itself", async () => {
  const there = await databases();
  await askAsSuperuser(home, `DROP DATABASE ${PLATFORM} WITH (FORCE)`);
  await expectEverything();
  expect((await owner.get("/api/platform/health")).json()).toMatchObject({ healthy: false });
  expect((await owner.get("/api/operations")).status).toBe(200);
  await expectBack("after the drop");
  await expectEverything();
  expect(await databases()).toEqual(there);
  expect((await owner.get("/api/audit/proof")).json()).toMatchObject({ ok: true });
});

test("F82: of a database that was restored to an older moment nothing comes back that was taken away, and nothing is deleted", async () => {
  const there = await databases();
  const roles = await askAsSuperuser(home, "SELECT rolname FROM pg_roles ORDER BY 1");
  await askAsSuperuser(home, "CREATE DATABASE restored OWNER jarvis TEMPLATE template0");
  await postgres("pg_restore", "-d", "restored", join(home.root, "..", "old.dump"));
  await askAsSuperuser(home, `DROP DATABASE ${PLATFORM} WITH (FORCE)`);
  await askAsSuperuser(home, `ALTER DATABASE restored RENAME TO ${PLATFORM}`);
  await expectBack("after the restore");
  await expectEverything();
  expect(await databases()).toEqual(there);
  expect(await askAsSuperuser(home, "SELECT rolname FROM pg_roles ORDER BY 1")).toEqual(roles);
  expect((await owner.get("/api/audit/proof")).json()).toMatchObject({ ok: true });
  const brought = async () =>
    (await owner.get("/api/workflows?workflow_type=provision")).json<{ total: number }>().total >= 3;
  await waitUntil(brought, { timeout: 30, every: 500, what: "the runs of later are there again" });
});

test("F82: a hub that is started while the database is away knows everybody as well", async () => {
  await askAsSuperuser(home, `ALTER DATABASE ${PLATFORM} ALLOW_CONNECTIONS false`);
  await askAsSuperuser(home, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${PLATFORM}'`);
  const pid = (await home.pid("hub"))!;
  process.kill(pid, "SIGKILL");
  const isBack = async () =>
    (await home.pid("hub")) !== pid && (await open.get("/healthz").catch(() => undefined))?.status === 200;
  await waitUntil(isBack, { timeout: 30, what: "another hub" });
  await expectEverything();
  const made = await owner.post("/api/databases", { database_name: "meanwhile" });
  expect(made.status, made.text).toBe(201);
  await owner.delete("/api/databases/meanwhile?wait=60");
});
