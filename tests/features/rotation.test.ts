import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { credentialsPath } from "../../src/site/credentials.ts";
import { ask, askAsSuperuser, refusal } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";
import { Writer } from "../harness/writer.ts";

let home: TestHome;

beforeAll(async () => {
  home = await TestHome.up();
});
afterAll(() => home.destroy());

const urlOf = async (name: string, kind: "--pooled" | "--direct") =>
  (await home.ok("db", "url", name, kind)).stdout.trim();

const WRONG_PASSWORD = "28P01";

test("an app with the old URL never fails while its password is rotated, and both passwords work until --finish", async () => {
  const old = await home.createDatabase("shop");
  const writers = await Promise.all([Writer.start(old.pooled_url), Writer.start(old.connection_url)]);
  const rotated = (await home.ok("db", "rotate", "shop", "--json")).json<{
    password: string;
    old_password_until: string;
  }>();
  await Promise.all(writers.map((writer) => writer.isWriting()));
  expect(rotated.password).not.toBe(old.password);
  expect(Date.parse(rotated.old_password_until)).toBeGreaterThan(Date.now() + 23 * 3600 * 1000);
  const fresh = { pooled: await urlOf("shop", "--pooled"), direct: await urlOf("shop", "--direct") };
  for (const url of [old.pooled_url, old.connection_url, fresh.pooled, fresh.direct])
    expect(await ask(url, "SELECT current_user::text AS who"), url).toEqual([{ who: "shop_owner" }]);
  // What the app creates from now on is still its own, with either login.
  await ask(fresh.pooled, "CREATE TABLE made_by_new (id int)");
  await ask(old.pooled_url, "DROP TABLE made_by_new");

  const again = await home.run(["db", "rotate", "shop"]);
  expect(again.stderr).toContain("--finish");
  expect(again.exitCode).toBe(8);

  for (const writer of writers) expect(writer.errors).toEqual([]);
  await Promise.all(writers.map((writer) => writer.stop()));
  for (const writer of writers) expect(await writer.ledger(fresh.direct)).toMatchObject({ lost: [], unexpected: [] });

  await home.ok("db", "rotate", "shop", "--finish");
  expect(await refusal(ask(old.connection_url, "SELECT 1"))).toBe(WRONG_PASSWORD);
  await expect(ask(old.pooled_url, "SELECT 1")).rejects.toThrow();
  for (const url of [fresh.pooled, fresh.direct]) expect(await ask(url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  expect(await readFile(credentialsPath(home.paths, "shop"), "utf8")).not.toContain(old.password);
});

test("finishing ends the sessions of the old login, and those of the new one go on", async () => {
  const old = await home.createDatabase("blog");
  await home.ok("db", "rotate", "blog");
  const writer = await Writer.start(await urlOf("blog", "--direct"));
  const late = await Writer.start(old.connection_url);
  await home.ok("db", "rotate", "blog", "--finish");
  await writer.isWriting();
  expect(writer.errors).toEqual([]);
  await expect(late.isWriting(1)).rejects.toThrow("no row was acknowledged");
  await Promise.all([writer.stop(), late.stop()]);
  const fresh = await urlOf("blog", "--direct");
  for (const one of [writer, late]) expect(await one.ledger(fresh)).toMatchObject({ lost: [], unexpected: [] });
});

test("rotation after rotation goes back and forth between two logins, and leaves no third", async () => {
  await home.createDatabase("wiki");
  const users: string[] = [];
  for (let round = 0; round < 3; round++) {
    users.push(new URL(await urlOf("wiki", "--direct")).username);
    await home.ok("db", "rotate", "wiki");
    await home.ok("db", "rotate", "wiki", "--finish");
  }
  expect(users).toEqual(["wiki_app", "wiki_app_b", "wiki_app"]);
  const roles = await askAsSuperuser(home, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'wiki%' ORDER BY 1");
  expect(roles.map((role) => role["rolname"])).toEqual(["wiki_app", "wiki_app_b", "wiki_owner", "wiki_ro"]);
});

test("a finish with nothing to finish changes nothing, and create during a rotation gives the new password", async () => {
  const before = await home.createDatabase("calm");
  await home.ok("db", "rotate", "calm", "--finish");
  expect(await ask(before.pooled_url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  const { password } = (await home.ok("db", "rotate", "calm", "--json")).json<{ password: string }>();
  expect((await home.createDatabase("calm")).password).toBe(password);
  expect(await ask(before.pooled_url, "SELECT 1 AS one"), "the old password still works").toEqual([{ one: 1 }]);
});
