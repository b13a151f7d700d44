import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runAny } from "../../src/host/run.ts";
import { readInstallation } from "../../src/site/installation.ts";
import { ask, askAsSuperuser, connect, refusal } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";

let home: TestHome;

beforeAll(async () => {
  home = await TestHome.up();
});
afterAll(() => home.destroy());

const remove = (name: string) => home.run(["db", "delete", name, "--confirm", name]);

test("a deleted database is out of reach at once, with a dump that can be read, and undelete brings everything back", async () => {
  const urls = await home.createDatabase("shop");
  const reader = (await home.ok("db", "url", "shop", "--direct", "--read-only")).stdout.trim();
  await ask(urls.pooled_url, "CREATE TABLE item (id int PRIMARY KEY, name text)");
  await ask(urls.pooled_url, "INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 500) n");
  const open = await connect(urls.connection_url);
  await open.query("SELECT 1");

  const deleted = await remove("shop");
  expect(deleted.exitCode, deleted.stderr).toBe(0);
  await expect(open.query("SELECT 1")).rejects.toThrow();
  // Past the pooler: before 1.24, PgBouncer lets a client of an unknown database wait for query_wait_timeout.
  for (const url of [urls.connection_url, reader]) await expect(ask(url, "SELECT 1")).rejects.toThrow();
  expect((await home.ok("db", "list")).stdout).not.toContain("shop");
  expect((await home.run(["db", "show", "shop"])).exitCode).toBe(7);
  const { items } = (await home.ok("db", "list", "--deleted", "--json")).json<{ items: { name: string }[] }>();
  expect(items.map((item) => item.name)).toEqual(["shop"]);
  expect(await askAsSuperuser(home, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'shop%'")).toEqual([]);

  const [dump] = readdirSync(home.paths.dumps);
  const { machine } = (await readInstallation(home.paths))!;
  const contents = await runAny({
    argv: [join(machine.programs.postgresBin, "pg_restore"), "--list", join(home.paths.dumps, dump!)],
  });
  expect(contents.exitCode, contents.stderr).toBe(0);
  expect(contents.stdout).toContain("TABLE DATA public item");

  expect((await home.run(["db", "undelete", "shop"])).exitCode).toBe(0);
  for (const url of [urls.pooled_url, urls.connection_url, reader])
    expect(await ask(url, "SELECT count(*)::int AS n FROM item"), url).toEqual([{ n: 500 }]);
  await ask(urls.pooled_url, "CREATE TABLE later (id int)");
  expect(await ask(reader, "SELECT * FROM later")).toEqual([]);
  expect((await ask(urls.pooled_url, "SELECT current_user::text AS who"))[0]).toEqual({ who: "shop_owner" });
  expect(await home.createDatabase("shop")).toMatchObject({ password: urls.password, user: urls.user });
  expect(readdirSync(home.paths.dumps)).toEqual([]);
});

test("deleting twice is refused as not found, and so is undeleting what is not deleted", async () => {
  await home.createDatabase("twice");
  expect((await remove("twice")).exitCode).toBe(0);
  expect((await remove("twice")).exitCode).toBe(7);
  expect((await home.run(["db", "undelete", "twice"])).exitCode).toBe(0);
  expect((await home.run(["db", "undelete", "twice"])).exitCode).toBe(7);
});

test("a role that took the name of one of its own is left alone, and undelete is refused until it is gone", async () => {
  await home.createDatabase("bereft");
  expect((await remove("bereft")).exitCode).toBe(0);
  // It wants that name back, so nothing of ours takes it either.
  const borrowing = await home.run(["db", "create", "borrower", "--owner", "bereft_owner"]);
  expect(borrowing).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("bereft's own") as string });
  await askAsSuperuser(home, "CREATE ROLE bereft_owner");
  const refused = await home.run(["db", "undelete", "bereft"]);
  expect(refused).toMatchObject({ exitCode: 4, stderr: expect.stringContaining("bereft_owner exists") as string });
  await askAsSuperuser(home, "DROP ROLE bereft_owner");
  await home.ok("db", "undelete", "bereft");
});

test("a new database under the old name is its own, and undelete is refused with a hint until it is gone", async () => {
  const { pooled_url: old, password } = await home.createDatabase("reused");
  await ask(old, "CREATE TABLE of_the_old (id int)");
  await remove("reused");
  const fresh = await home.createDatabase("reused");
  expect(fresh.password).not.toBe(password);
  expect(await refusal(ask(fresh.pooled_url, "SELECT * FROM of_the_old"))).toBe("42P01");
  const refused = await home.run(["db", "undelete", "reused"]);
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain("Delete that one first");
  expect((await remove("reused")).exitCode).toBe(0);
  // Two of the name wait now; the newest comes back.
  await home.ok("db", "undelete", "reused");
  expect(await refusal(ask(fresh.pooled_url, "SELECT * FROM of_the_old"))).toBe("42P01");
  await remove("reused");
  const waiting = (await home.ok("db", "list", "--deleted", "--json")).json<{ items: { name: string }[] }>();
  expect(waiting.items.filter((item) => item.name === "reused")).toHaveLength(2);
});

test("a protected database is not deleted until the protection is taken away", async () => {
  await home.ok("db", "create", "vault", "--protect");
  const refused = await remove("vault");
  expect(refused.exitCode).toBe(4);
  expect(refused.stderr).toContain("--no-protect");
  await home.ok("db", "create", "vault");
  expect((await remove("vault")).exitCode).toBe(4);
  await home.ok("db", "create", "vault", "--no-protect");
  expect((await remove("vault")).exitCode).toBe(0);
});

test("the platform's own databases are not deleted", async () => {
  for (const name of ["postgres", "template1"]) expect((await remove(name)).exitCode, name).toBeGreaterThan(3);
  expect(
    await askAsSuperuser(home, "SELECT datname FROM pg_database WHERE datname ~ '^(postgres|template)'"),
  ).toHaveLength(3);
});

test("a database with a long transaction open is deleted all the same", async () => {
  const { connection_url: url } = await home.createDatabase("busy");
  const client = await connect(url);
  await client.query("BEGIN");
  await client.query("CREATE TABLE held (id int)");
  expect((await remove("busy")).exitCode).toBe(0);
  await expect(client.query("COMMIT")).rejects.toThrow();
});
