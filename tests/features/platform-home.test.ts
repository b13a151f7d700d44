import { readFile, writeFile } from "node:fs/promises";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectionUrl } from "../../src/cluster/urls.ts";
import { proveLogin } from "../../src/engines/postgres/login.ts";
import type { Site } from "../../src/site/site.ts";
import { platformConnection } from "../../src/store/connection.ts";
import { PlatformDatabase } from "../../src/store/database.ts";
import { migrate, migrationStatus } from "../../src/store/migrate.ts";
import { ask, askAsSuperuser, openSiteOf } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";
import { TemporaryPostgres } from "../harness/temporary-postgres.ts";

/** The platform database of a home: made by `up`, closed to everybody else, mended by `up`, or kept elsewhere. */
let home: TestHome;
let site: Site;
let database: PlatformDatabase;

beforeAll(async () => {
  home = await TestHome.up();
  site = await openSiteOf(home);
  database = new PlatformDatabase({ connect: () => platformConnection(site.topology, site.secrets) });
});
afterAll(async () => {
  await database?.close();
  await site?.close();
  await home.destroy();
});

const jarvis = async () => ({ database: "homelab_jarvis", user: "jarvis", password: await home.secret("jarvis_db") });

/** Runs `up` again, and answers the steps that had something to do. */
const up = async (env: Record<string, string> = {}): Promise<string[]> => {
  const result = await home.run(["up", ...home.upFlags(), "--json"], { env });
  expect(result.exitCode, result.stderr).toBe(0);
  return result.json<{ changed: string[] }>().changed;
};

test("is there, and belongs to a role that may do nothing else", async () => {
  const [role] = await askAsSuperuser(
    home,
    `SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolconnlimit,
            ARRAY(SELECT m.roleid::regrole::text FROM pg_auth_members m WHERE m.member = r.oid) AS member_of,
            (SELECT rolpassword FROM pg_authid a WHERE a.oid = r.oid) LIKE 'SCRAM-SHA-256$%' AS scram
     FROM pg_roles r WHERE rolname = 'jarvis'`,
  );
  expect(role).toEqual({
    ...{ rolcanlogin: true, rolsuper: false, rolcreatedb: false, rolcreaterole: false, rolreplication: false },
    ...{ rolbypassrls: false, rolconnlimit: 50, member_of: [], scram: true },
  });
  const [row] = await askAsSuperuser(
    home,
    `SELECT datdba::regrole::text AS owner, pg_encoding_to_char(encoding) AS encoding,
            has_database_privilege('public', oid, 'CONNECT') AS open, has_database_privilege('homelab_monitor', oid, 'CONNECT') AS monitored
     FROM pg_database WHERE datname = 'homelab_jarvis'`,
  );
  expect(row).toEqual({ owner: "jarvis", encoding: "UTF8", open: false, monitored: true });
  const [schema] = await askAsSuperuser(
    home,
    "SELECT nspowner::regrole::text AS owner, has_schema_privilege('public', oid, 'USAGE') AS open FROM pg_namespace WHERE nspname = 'public'",
    "homelab_jarvis",
  );
  expect(schema).toEqual({ owner: "jarvis", open: false });
});

test("is reached with TLS that is verified, by sessions that nothing set on the role can turn", async () => {
  await askAsSuperuser(home, "ALTER ROLE jarvis SET search_path = evil");
  const { rows } = await database.session((db) =>
    sql`SELECT current_user::text AS user, current_database()::text AS database, current_setting('search_path') AS path,
               current_setting('application_name') AS name, current_setting('statement_timeout') AS patience,
               (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS tls`.execute(db),
  );
  await askAsSuperuser(home, "ALTER ROLE jarvis RESET search_path");
  expect(rows).toEqual([
    {
      ...{ user: "jarvis", database: "homelab_jarvis", path: "public,pg_temp", name: "homelab hub" },
      ...{ patience: "5s", tls: true },
    },
  ]);
});

test("is not reached through a server whose certificate is of another authority", async () => {
  const config = await platformConnection(site.topology, site.secrets);
  const unknown = new PlatformDatabase({ connect: async () => ({ ...config, ssl: { servername: "localhost" } }) });
  await expect(unknown.session((db) => sql`SELECT 1`.execute(db))).rejects.toMatchObject({
    code: "platform_database_away",
    message: expect.stringMatching(/certificate/) as string,
  });
  await unknown.close();
});

test("is brought to the newest revision by its own role", async () => {
  await migrate(database);
  const { current, head, pending } = await migrationStatus(database);
  expect([current, pending]).toEqual([head, []]);
  const owners = await askAsSuperuser(
    home,
    "SELECT DISTINCT relowner::regrole::text AS owner FROM pg_class WHERE relnamespace = 'public'::regnamespace",
    "homelab_jarvis",
  );
  expect(owners).toEqual([{ owner: "jarvis" }]);
});

test("is reached through the pooler too", async () => {
  const login = await jarvis();
  const found = await proveLogin(connectionUrl(site.topology, login, "pooled", "127.0.0.1"));
  expect(found).toMatchObject({ sessionUser: "jarvis", readOnly: false });
});

test("is entered by no app, and by no name that somebody gives", async () => {
  const { connection_url } = await home.createDatabase("shop");
  const there = new URL(connection_url);
  there.pathname = "/homelab_jarvis";
  await expect(ask(there.toString(), "SELECT 1")).rejects.toMatchObject({ code: "42501" });
  const listed = (await home.ok("db", "list", "--json")).json<{ items: { name: string }[] }>();
  expect(listed.items.map(({ name }) => name)).toEqual(["shop"]);
  expect((await home.run(["db", "create", "homelab_jarvis"])).exitCode).toBe(2);
  expect((await home.run(["db", "delete", "homelab_jarvis", "--confirm", "homelab_jarvis"])).exitCode).toBe(4);
});

test("is mended by up when somebody changed its role", async () => {
  await askAsSuperuser(home, "ALTER ROLE jarvis SUPERUSER PASSWORD 'of somebody'");
  expect(await up()).toContain("make-platform-database");
  await proveLogin(connectionUrl(site.topology, await jarvis(), "direct", "127.0.0.1"));
  expect(await askAsSuperuser(home, "SELECT rolsuper FROM pg_roles WHERE rolname = 'jarvis'")).toEqual([
    { rolsuper: false },
  ]);
  expect(await up()).toEqual([]);
});

test("is opened to nobody for long: up takes back what was granted", async () => {
  await askAsSuperuser(home, "GRANT CONNECT ON DATABASE homelab_jarvis TO PUBLIC");
  await askAsSuperuser(home, "GRANT USAGE ON SCHEMA public TO PUBLIC", "homelab_jarvis");
  expect(await up()).toContain("make-platform-database");
  expect(await up()).toEqual([]);
});

test("of an installation from before gets its password at the next up", async () => {
  const {
    jarvis_db: _,
    dashboard_api_key: __,
    ...older
  } = JSON.parse(await readFile(home.paths.secrets, "utf8")) as Record<string, string>;
  await writeFile(home.paths.secrets, JSON.stringify(older));
  expect(await up()).toEqual(expect.arrayContaining(["make-secrets", "make-platform-database"]));
  expect(await home.secret("dashboard_api_key")).toMatch(/^hl_[\w-]{43}$/);
  await proveLogin(connectionUrl(site.topology, await jarvis(), "direct", "127.0.0.1"));
});

test("is not taken over from whoever made a role or a database of that name", async () => {
  await database.close();
  await askAsSuperuser(home, "DROP DATABASE homelab_jarvis WITH (FORCE)");
  await askAsSuperuser(home, "DROP ROLE jarvis");
  await askAsSuperuser(home, "CREATE ROLE jarvis LOGIN PASSWORD 'of somebody'");
  const before = await askAsSuperuser(home, "SELECT * FROM pg_authid WHERE rolname = 'jarvis'");
  const { exitCode, stderr } = await home.run(["up", ...home.upFlags()]);
  expect([exitCode, stderr]).toEqual([
    4,
    expect.stringContaining("the role jarvis exists and was not made by homelab"),
  ]);
  expect(await askAsSuperuser(home, "SELECT * FROM pg_authid WHERE rolname = 'jarvis'")).toEqual(before);
});

test("is kept elsewhere when JARVIS_DATABASE_URL says so, and that is remembered", async () => {
  const elsewhere = await TemporaryPostgres.start();
  try {
    const name = await elsewhere.createDatabase();
    const url = `postgresql:///${name}?host=${elsewhere.folder}&user=postgres`;
    // The role of somebody else is in nobody's way any more.
    expect(await up({ JARVIS_DATABASE_URL: url })).not.toContain("make-platform-database");
    expect(await up()).toEqual([]);
    expect(await home.secret("jarvis_database_url")).toBe(url);
    expect(await askAsSuperuser(home, "SELECT 1 FROM pg_database WHERE datname = 'homelab_jarvis'")).toEqual([]);
    const external = new PlatformDatabase({ connect: () => platformConnection(site.topology, site.secrets) });
    await migrate(external);
    expect(await external.health()).toMatchObject({ healthy: true });
    // What the hub could not write meanwhile goes there now.
    const written = () => elsewhere.query(name, "SELECT FROM workflows WHERE workflow_type = 'converge'");
    await expect.poll(async () => (await written()).length, { timeout: 20_000 }).toBeGreaterThan(0);
    await external.close();
  } finally {
    await elsewhere.destroy();
  }
});

test("a URL that is none, and a key that could be guessed, are refused before anything is touched", async () => {
  const wrong: Record<string, string>[] = [{ JARVIS_DATABASE_URL: "mysql://x@y/z" }, { DASHBOARD_API_KEY: "short" }];
  for (const env of wrong) {
    const { exitCode, stderr, stdout } = await home.run(["up", ...home.upFlags()], { env });
    expect(exitCode, stderr).toBe(2);
    for (const value of Object.values(env)) expect(stderr + stdout).not.toContain(`${value}\n`);
  }
});
