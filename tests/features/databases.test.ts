import { readdirSync, readFileSync, statSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { credentialsPath, type Credentials } from "../../src/site/credentials.ts";
import { ask, askAsSuperuser, connect, connectAsSuperuser, refusal } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";

let home: TestHome;
let urls: Awaited<ReturnType<TestHome["createDatabase"]>>;

beforeAll(async () => {
  home = await TestHome.up();
  urls = await home.createDatabase("shop");
});
afterAll(() => home.destroy());

const INSUFFICIENT_PRIVILEGE = "42501";
const READ_ONLY = "25006";

const credentials = async (name: string): Promise<Credentials> =>
  JSON.parse(await readFile(credentialsPath(home.paths, name), "utf8")) as Credentials;

/** The URL of the read-only role, past the pooler. */
const readOnlyUrl = async (name: string) => (await home.ok("db", "url", name, "--direct", "--read-only")).stdout.trim();

/** A URL for another database with the login of this one. */
function into(url: string, database: string): string {
  const other = new URL(url);
  other.pathname = `/${database}`;
  return other.href;
}

describe("the roles of a database", () => {
  test("its owner cannot log in, and the app acts as the owner through pooler and direct port alike", async () => {
    const [owner] = await askAsSuperuser(home, "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'shop_owner'");
    expect(owner).toEqual({ rolcanlogin: false });
    for (const url of [urls.pooled_url, urls.connection_url]) {
      const [who] = await ask(url, "SELECT session_user::text AS login, current_user::text AS acts_as");
      expect(who).toEqual({ login: "shop_app", acts_as: "shop_owner" });
    }
    await ask(urls.pooled_url, "CREATE TABLE owned (id int)");
    const [table] = await ask(urls.connection_url, "SELECT tableowner FROM pg_tables WHERE tablename = 'owned'");
    expect(table).toEqual({ tableowner: "shop_owner" });
  });

  test("the read-only role reads what the app makes later, and writes nothing", async () => {
    await ask(urls.pooled_url, "CREATE TABLE item (id serial PRIMARY KEY, name text)");
    await ask(urls.pooled_url, "INSERT INTO item (name) VALUES ('lamp')");
    await ask(urls.pooled_url, "CREATE SCHEMA later CREATE TABLE deep (id int)");
    const url = await readOnlyUrl("shop");
    expect(await ask(url, "SELECT name FROM item")).toEqual([{ name: "lamp" }]);
    expect(await ask(url, "SELECT last_value::int FROM item_id_seq")).toEqual([{ last_value: 1 }]);
    expect(await ask(url, "SELECT * FROM later.deep")).toEqual([]);
    expect(await refusal(ask(url, "INSERT INTO item (name) VALUES ('x')"))).toBe(READ_ONLY);
    // The setting is only the first fence: the privileges hold without it.
    const client = await connect(url);
    await client.query("SET default_transaction_read_only = off");
    for (const statement of ["INSERT INTO item (name) VALUES ('x')", "DROP TABLE item", "CREATE TABLE mine (id int)"])
      expect(await refusal(client.query(statement)), statement).toBe(INSUFFICIENT_PRIVILEGE);
    await client.end();
  });

  test("no other tenant connects to it, through the pooler or past it, and PUBLIC has no rights in it", async () => {
    const other = await home.createDatabase("blog");
    expect(await refusal(ask(into(other.connection_url, "shop"), "SELECT 1"))).toBe(INSUFFICIENT_PRIVILEGE);
    await expect(ask(into(other.pooled_url, "shop"), "SELECT 1")).rejects.toThrow();
    for (const database of ["postgres", "template1"])
      await expect(ask(into(other.connection_url, database), "SELECT 1"), database).rejects.toThrow();
    const [rights] = await askAsSuperuser(
      home,
      `SELECT has_database_privilege('public', 'shop', 'CONNECT') AS connects, has_schema_privilege('public', 'public', 'USAGE') AS uses,
              has_schema_privilege('blog_owner', 'public', 'USAGE') AS other_uses`,
      "shop",
    );
    expect(rights).toEqual({ connects: false, uses: false, other_uses: false });
  });

  test("what each may hold open is limited, and none of them may do more than own a database", async () => {
    const [app] = await askAsSuperuser<{ settings: string[]; limit: number }>(
      home,
      `SELECT rolconfig AS settings, rolconnlimit AS limit FROM pg_roles WHERE rolname = 'shop_app'`,
    );
    expect(app!.limit).toBe(100);
    expect(app!.settings).toEqual(
      expect.arrayContaining(["statement_timeout=5min", "idle_in_transaction_session_timeout=2min"]),
    );
    const [shown] = await ask(urls.pooled_url, "SHOW statement_timeout");
    expect(shown).toEqual({ statement_timeout: "5min" });
    const mighty = await askAsSuperuser(
      home,
      `SELECT rolname FROM pg_roles WHERE rolname LIKE 'shop%'
       AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)`,
    );
    expect(mighty).toEqual([]);
  });

  test("their passwords stand in one file that only the platform reads, and in the server as SCRAM verifiers", async () => {
    const { app, read_only: reader } = await credentials("shop");
    expect((await stat(credentialsPath(home.paths, "shop"))).mode & 0o777).toBe(0o600);
    expect(app.password).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(reader.password).not.toBe(app.password);
    const rows = await askAsSuperuser<{ rolpassword: string }>(
      home,
      "SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'shop%' AND rolcanlogin",
    );
    for (const { rolpassword } of rows) expect(rolpassword).toMatch(/^SCRAM-SHA-256\$/);
    const logs = readdirSync(home.paths.logs).map((name) => readFileSync(join(home.paths.logs, name), "utf8"));
    expect(logs.join("\n")).not.toContain(app.password);
  });
});

describe("creating", () => {
  test("the same name again gives the same database and the same password, and keeps what was set", async () => {
    await home.ok("db", "create", "shop", "--connection-limit", "42");
    const again = await home.createDatabase("shop");
    expect(again).toEqual(urls);
    const [role] = await askAsSuperuser(home, "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'shop_app'");
    expect(role).toEqual({ rolconnlimit: 42 });
    expect((await ask(urls.pooled_url, "SELECT count(*)::int AS n FROM item"))[0]).toEqual({ n: 1 });
  });

  test("takes owner, extension, limits and template, and each takes effect", async () => {
    await askAsSuperuser(home, "CREATE DATABASE starter IS_TEMPLATE true");
    await askAsSuperuser(home, "CREATE TABLE from_template (id int)", "starter");
    const options = ["--owner", "team", "--extension", "pg_trgm,citext", "--connection-limit", "7"];
    const more = ["--statement-timeout", "9s", "--template", "starter", "--protect"];
    await home.ok("db", "create", "made", ...options, ...more);
    const url = (await home.ok("db", "url", "made", "--pooled")).stdout.trim();
    const [who] = await ask(
      url,
      "SELECT current_user::text AS acts_as, current_setting('statement_timeout') AS timeout",
    );
    expect(who).toEqual({ acts_as: "team", timeout: "9s" });
    expect(
      await ask(url, "SELECT extname FROM pg_extension WHERE extname IN ('pg_trgm', 'citext') ORDER BY 1"),
    ).toEqual([{ extname: "citext" }, { extname: "pg_trgm" }]);
    expect(await ask(url, "SELECT similarity('lamp', 'lamps') > 0.5 AS similar")).toEqual([{ similar: true }]);
    expect(await askAsSuperuser(home, "SELECT to_regclass('public.from_template')::text AS table", "made")).toEqual([
      { table: "from_template" },
    ]);
    const show = (await home.ok("db", "show", "made", "--json")).json<{ owner: string; protected: boolean }>();
    expect(show).toMatchObject({ owner: "team", protected: true });
    const [role] = await askAsSuperuser(home, "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'made_app'");
    expect(role).toEqual({ rolconnlimit: 7 });
  });

  test("again, without the owner that was named the first time, keeps that owner", async () => {
    const { pooled_url: url } = await home.createDatabase("made");
    expect((await home.ok("db", "show", "made", "--json")).json()).toMatchObject({ owner: "team", protected: true });
    expect(await ask(url, "SELECT current_user::text AS acts_as")).toEqual([{ acts_as: "team" }]);
    const other = await home.run(["db", "create", "made", "--owner", "another_team"]);
    expect(other.exitCode).toBe(2);
    expect(await askAsSuperuser(home, "SELECT 1 FROM pg_roles WHERE rolname = 'another_team'")).toEqual([]);
  });

  test.each([
    [["--extension", "dblink"], 4, "reaches beyond its database"],
    [["--extension", "file_fdw"], 4, "reaches beyond its database"],
    [["--extension", "pg_trgn"], 7, "Did you mean pg_trgm?"],
    [["--template", "blog"], 7, "no template database blog"],
    [["--owner", "postgres"], 2, "reserved"],
    [["--owner", "homelab_monitor"], 2, "can log in or do more"],
    [["--owner", "shop_owner"], 2, "is the database shop's own"],
    [["--connection-limit", "many"], 2, "whole number"],
    [["--statement-timeout", "soon"], 2, "duration"],
    [["--statement-timeout", "99d"], 2, "at most 24d"],
  ])("refuses %j and makes nothing", async (flags, exit, says) => {
    const refused = await home.run(["db", "create", "refused", ...flags]);
    expect(refused.stderr).toContain(says);
    expect(refused.exitCode).toBe(exit);
    await expectNothingOf("refused");
  });

  test("touches no file of any engine, and reloads nothing", async () => {
    const before = engineFiles();
    const pids = [await home.pid("pgbouncer"), await home.pid("pgbouncer-ro"), await home.pid("haproxy")];
    await home.createDatabase("untouched");
    await ask((await home.createDatabase("untouched")).pooled_url, "SELECT 1");
    expect(engineFiles()).toEqual(before);
    expect([await home.pid("pgbouncer"), await home.pid("pgbouncer-ro"), await home.pid("haproxy")]).toEqual(pids);
    for (const log of ["pgbouncer.log", "pgbouncer-ro.log", "haproxy.log"])
      expect(readFileSync(join(home.paths.logs, log), "utf8"), log).not.toMatch(/reload|RELOAD|SIGHUP/);
  });

  test("a name of 63 characters works from end to end", async () => {
    const name = `a${"b".repeat(61)}c`;
    const { pooled_url: url } = await home.createDatabase(name);
    expect(await ask(url, "SELECT current_database()::text AS name")).toEqual([{ name }]);
    const neighbour = `a${"b".repeat(61)}d`;
    expect((await home.createDatabase(neighbour)).user).not.toBe(new URL(url).username);
    await home.ok("db", "rotate", name);
    await home.ok("db", "delete", name, "--confirm", name);
    await home.ok("db", "undelete", name);
    expect(await ask((await home.createDatabase(name)).pooled_url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    expect(await ask((await home.createDatabase(neighbour)).pooled_url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });
});

describe("a creation that fails half way", () => {
  test("leaves nothing behind when the template is in use, says so, and works once it is free", async () => {
    const busy: Client = await connectAsSuperuser(home, "starter");
    const failed = await home.run(["db", "create", "halfway", "--template", "starter"]);
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toContain('source database "starter" is being accessed by other users');
    expect(failed.stderr).not.toContain("not taken back");
    await expectNothingOf("halfway");
    await busy.end();
    await home.ok("db", "create", "halfway", "--template", "starter");
  });

  test("does not begin where a role of that name was made by hand, and leaves that role as it is", async () => {
    await askAsSuperuser(home, "CREATE ROLE clash_app LOGIN SUPERUSER");
    const failed = await home.run(["db", "create", "clash"]);
    expect(failed.exitCode).toBe(4);
    expect(failed.stderr).toContain("clash_app exists and was not made by homelab");
    const rows = await askAsSuperuser(home, "SELECT rolsuper, rolpassword FROM pg_authid WHERE rolname = 'clash_app'");
    expect(rows).toEqual([{ rolsuper: true, rolpassword: null }]);
    expect(await askAsSuperuser(home, "SELECT 1 FROM pg_database WHERE datname = 'clash'")).toEqual([]);
  });
});

describe("a database that somebody made by hand under a hostile name", () => {
  const name = `O'Brien "the" Bäcker; \\q 日本`;
  const quoted = `"${name.replaceAll('"', '""')}"`;

  test("is listed, shown and opened, and never changed", async () => {
    await askAsSuperuser(home, `CREATE DATABASE ${quoted}`);
    const { items } = (await home.ok("db", "list", "--json")).json<{ items: { name: string; managed: boolean }[] }>();
    expect(items.find((item) => item.name === name)).toMatchObject({ managed: false });
    expect((await home.ok("db", "show", name, "--json")).json()).toMatchObject({ name, user: null });
    const shell = await home.run(["db-shell", name], { input: "SELECT current_database();\n" });
    expect(shell.stdout, shell.stderr).toContain(name);
    const refused = await home.run(["db", "delete", name, "--confirm", name]);
    expect(refused.exitCode).toBe(4);
    expect((await home.run(["db", "rotate", name])).exitCode).toBe(4);
    expect((await home.run(["db", "create", name])).exitCode).toBe(2);
    expect((await home.ok("db", "list")).stdout).toContain(name);
  });
});

/** Content and time of every file that an engine reads. */
function engineFiles(): Record<string, string> {
  const paths = readdirSync(home.paths.etc).map((name) => join(home.paths.etc, name));
  return Object.fromEntries(paths.map((path) => [path, `${statSync(path).mtimeMs} ${readFileSync(path, "utf8")}`]));
}

async function expectNothingOf(name: string): Promise<void> {
  expect(await askAsSuperuser(home, `SELECT datname FROM pg_database WHERE datname = '${name}'`)).toEqual([]);
  expect(await askAsSuperuser(home, `SELECT rolname FROM pg_roles WHERE rolname LIKE '${name}%'`)).toEqual([]);
  expect(readdirSync(home.paths.credentials).filter((file) => file.startsWith(name))).toEqual([]);
}
