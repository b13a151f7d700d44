import { readFile, stat } from "node:fs/promises";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Site } from "../../src/site/site.ts";
import type { Session } from "../../src/engines/postgres/sessions.ts";
import { waitUntil } from "../../src/core/clock.ts";
import { currentLog, readableLine } from "../../src/engines/logs.ts";
import { ask, askAsSuperuser, openSiteOf, refusal } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";

let home: TestHome;
let site: Site;
/** The app's own way in, past the pooler. */
let url: string;

beforeAll(async () => {
  home = await TestHome.up();
  ({ connection_url: url } = await home.createDatabase("shop"));
  site = await openSiteOf(home);
});
afterAll(async () => {
  await site?.close();
  await home.destroy();
});

/** As the owner of a database may: who calls is written down, and then it answers what the original would. */
const PLANTS = `
  CREATE SCHEMA evil;
  GRANT USAGE ON SCHEMA evil TO PUBLIC;
  CREATE TABLE evil.caught (who text, what text);
  GRANT INSERT ON evil.caught TO PUBLIC;
  CREATE FUNCTION evil.log(what text) RETURNS boolean LANGUAGE sql VOLATILE
    AS 'INSERT INTO evil.caught VALUES (current_user, what); SELECT true';
  CREATE FUNCTION evil.eq(a name, b name) RETURNS boolean LANGUAGE sql
    AS 'SELECT evil.log(''name = name'') AND a OPERATOR(pg_catalog.=) b';
  CREATE FUNCTION evil.eq(a name, b text) RETURNS boolean LANGUAGE sql
    AS 'SELECT evil.log(''name = text'') AND a OPERATOR(pg_catalog.=) b';
  CREATE FUNCTION evil.eq(a text, b text) RETURNS boolean LANGUAGE sql
    AS 'SELECT evil.log(''text = text'') AND a OPERATOR(pg_catalog.=) b';
  CREATE FUNCTION evil.eq(a oid, b oid) RETURNS boolean LANGUAGE sql
    AS 'SELECT evil.log(''oid = oid'') AND a OPERATOR(pg_catalog.=) b';
  CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = name, RIGHTARG = name);
  CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = name, RIGHTARG = text);
  CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = text, RIGHTARG = text);
  CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = oid, RIGHTARG = oid);
  CREATE FUNCTION evil.count(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT evil.log(''count''); SELECT 0::bigint';
  CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE sql AS 'SELECT evil.log(''current_setting'')::text';
  CREATE VIEW evil.pg_roles AS SELECT r.*, evil.log('pg_roles') AS logged FROM pg_catalog.pg_roles r;
  CREATE VIEW evil.pg_database AS SELECT d.*, evil.log('pg_database') AS logged FROM pg_catalog.pg_database d;
  CREATE VIEW evil.pg_extension AS SELECT e.*, evil.log('pg_extension') AS logged FROM pg_catalog.pg_extension e;`;

/** Settings that an owner may give a database, and each of which turns a session that does not pin it. */
const POISON = [
  "search_path = evil, pg_catalog",
  "role = 'shop_owner'",
  "default_transaction_read_only = on",
  "default_transaction_isolation = serializable",
  "default_transaction_deferrable = on",
  "standard_conforming_strings = off",
  "quote_all_identifiers = on",
  "transform_null_equals = on",
  "check_function_bodies = off",
  "row_security = on",
  "lock_timeout = '1ms'",
];

/** Those that also end the owner's own sessions. */
const DEADLY = [
  "statement_timeout = '1ms'",
  "idle_session_timeout = '1ms'",
  "idle_in_transaction_session_timeout = '1ms'",
];

const alter = (database: string, settings: string[]) =>
  settings.map((setting) => `ALTER DATABASE ${database} SET ${setting}`).join(";");

/** As a superuser who pins nothing but what would keep the session from working at all. */
async function askUnpinned(text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({
    host: home.paths.run,
    port: home.port(5431),
    user: "postgres",
    database: "shop",
    password: await home.secret("superuser"),
    options: "-c role=none -c default_transaction_read_only=off",
  });
  await client.connect();
  try {
    return (await client.query(text)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

const caught = async () =>
  (await askUnpinned("SELECT DISTINCT who || ': ' || what AS call FROM evil.caught")).map((row) => row["call"]);

/** The settings that count, as a session of the platform has them. */
async function settingsOf(session: Session): Promise<Record<string, string>> {
  const names = [...POISON, ...DEADLY, "local_preload_libraries"].map((setting) => setting.split(" ")[0]!);
  const rows = await session.query<{ name: string; setting: string }>(
    "SELECT name, pg_catalog.current_setting(name) AS setting FROM pg_catalog.unnest($1::text[]) AS name",
    [names],
  );
  return Object.fromEntries(rows.map((row) => [row.name, row.setting]));
}

const PINNED = {
  search_path: "pg_catalog,pg_temp",
  role: "none",
  local_preload_libraries: "",
  statement_timeout: "10min",
  lock_timeout: "10s",
  idle_session_timeout: "0",
  idle_in_transaction_session_timeout: "1min",
  default_transaction_read_only: "off",
  default_transaction_isolation: "read committed",
  default_transaction_deferrable: "off",
  standard_conforming_strings: "on",
  quote_all_identifiers: "off",
  transform_null_equals: "off",
  check_function_bodies: "on",
  row_security: "off",
};

test("S04, S05: every session of the platform has its settings pinned, and says whose it is", async () => {
  const sessions = await site.postgres();
  expect(await settingsOf(await sessions.admin())).toEqual(PINNED);
  expect(await settingsOf(await sessions.monitor())).toEqual(PINNED);
  expect(await sessions.within("shop", settingsOf)).toEqual(PINNED);
  const admin = await sessions.admin();
  const rows = await admin.query(
    "SELECT DISTINCT application_name AS name FROM pg_stat_activity WHERE usename = 'postgres' AND backend_type = 'client backend' AND application_name NOT LIKE 'Patroni%'",
  );
  expect(rows).toEqual([{ name: "homelab" }]);
});

test("S04: every SECURITY DEFINER function of every database has a search_path of its own", async () => {
  const databases = await askAsSuperuser<{ name: string }>(
    home,
    "SELECT datname AS name FROM pg_database WHERE datallowconn",
  );
  const found: string[] = [];
  for (const { name } of databases) {
    const functions = await askAsSuperuser<{ name: string; config: string[] | null }>(
      home,
      "SELECT oid::regprocedure::text AS name, proconfig AS config FROM pg_proc WHERE prosecdef",
      name,
    );
    for (const { name: definer, config } of functions) {
      found.push(`${name}: ${definer}`);
      expect(config, `${name}: ${definer}`).toEqual(["search_path=pg_catalog, pg_temp"]);
    }
  }
  expect(found).toContain("postgres: pgbouncer.user_lookup(text)");
});

describe("with operators and views planted in a database, and its settings poisoned", () => {
  beforeAll(async () => {
    await ask(url, PLANTS);
    await ask(url, alter("shop", POISON));
  });

  test("S04: the plants work: a superuser's session that pins nothing falls for them", async () => {
    await askUnpinned("SELECT * FROM pg_database WHERE datname = 'shop'::text");
    await askUnpinned("SELECT count(1::bigint)");
    expect(await caught()).toEqual(
      expect.arrayContaining(["postgres: name = text", "postgres: count", "postgres: pg_database"]),
    );
    await askUnpinned("TRUNCATE evil.caught");
  });

  test("S05: a session inside that database keeps what it pinned", async () => {
    const sessions = await site.postgres();
    expect(await sessions.within("shop", settingsOf)).toEqual(PINNED);
  });

  test("S04, S05: create again, list, show, status, health, rotate, delete and undelete go well, and call no plant", async () => {
    await home.ok("db", "create", "shop", "--extension", "pg_trgm");
    await home.ok("db", "list");
    await home.ok("db", "show", "shop");
    await home.ok("status");
    await home.ok("health");
    await home.ok("db", "rotate", "shop");
    await home.ok("db", "rotate", "shop", "--finish");
    await home.ok("db", "delete", "shop", "--yes");
    await home.ok("db", "undelete", "shop");
    await home.ok("db", "create", "shop");
    expect(await caught()).toEqual([]);
  });

  test("S04: the superuser's own shell takes none of it over", async () => {
    const input =
      "\\pset tuples_only on\nSELECT current_user, current_setting('search_path'), count(1::bigint) FROM pg_database WHERE datname = 'shop'::text;\n";
    const { stdout, exitCode } = await home.run(["db-shell", "shop"], { input });
    expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/postgres\s+\| public\s+\|\s+1\n/)]);
    expect(await caught()).toEqual([]);
  });
});

test("S05: times that end every session at once end none of ours, and keep no database from being deleted", async () => {
  const { connection_url: own } = await home.createDatabase("hasty");
  await ask(own, alter("hasty", DEADLY));
  const sessions = await site.postgres();
  expect(await sessions.within("hasty", settingsOf)).toEqual(PINNED);
  await sessions.leave();
  await home.ok("db", "show", "hasty");
  await home.ok("db", "delete", "hasty", "--yes");
});

test("S05: a library that cannot be loaded keeps the owner out, and neither us nor its deletion", async () => {
  const { connection_url: broken } = await home.createDatabase("broken");
  await ask(broken, "ALTER DATABASE broken SET local_preload_libraries = 'no_such_library'");
  expect(await refusal(ask(broken, "SELECT 1"))).toBe("58P01");
  const sessions = await site.postgres();
  expect(await sessions.within("broken", async (session) => session.query("SELECT 1 AS one"))).toEqual([{ one: 1 }]);
  await sessions.leave();
  const shell = await home.run(["db-shell", "broken"], { input: "ALTER DATABASE broken RESET ALL;\n" });
  expect(shell.stdout).toContain("ALTER DATABASE");
  await ask(broken, "ALTER DATABASE broken SET local_preload_libraries = 'no_such_library'");
  await home.ok("db", "delete", "broken", "--yes");
});

test("S05: what the app sets for its own login is carried over by a rotation, and its role is not", async () => {
  const { connection_url: own } = await home.createDatabase("wiki");
  await ask(
    own,
    `SET ROLE none; ALTER ROLE wiki_app SET role = 'none'; ALTER ROLE wiki_app SET search_path = wiki, "My, ""Schema", public`,
  );
  await home.ok("db", "rotate", "wiki");
  const { connection_url: next } = (await home.ok("db", "url", "wiki", "--json")).json<{ connection_url: string }>();
  expect(
    await ask(
      next,
      "SELECT session_user::text AS login, current_user::text AS acts_as, current_setting('search_path') AS path",
    ),
  ).toEqual([{ login: "wiki_app_b", acts_as: "wiki_owner", path: `wiki, "My, ""Schema", public` }]);
});

test("S06: reports look as a role of pg_monitor that is no superuser and may write nothing", async () => {
  const [role] = await askAsSuperuser(
    home,
    `SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolconnlimit,
            ARRAY(SELECT m.roleid::regrole::text FROM pg_auth_members m WHERE m.member = r.oid) AS member_of
     FROM pg_roles r WHERE rolname = 'homelab_monitor'`,
  );
  expect(role).toEqual({
    rolsuper: false,
    rolcreatedb: false,
    rolcreaterole: false,
    rolreplication: false,
    rolbypassrls: false,
    rolconnlimit: 10,
    member_of: ["pg_monitor"],
  });
  const monitor = await (await site.postgres()).monitor();
  expect(await monitor.query("SELECT current_user::text AS name")).toEqual([{ name: "homelab_monitor" }]);
  for (const forbidden of [
    "SELECT rolpassword FROM pg_authid",
    "SELECT pg_read_file('PG_VERSION')",
    "CREATE TABLE x ()",
    "CREATE ROLE x",
  ])
    expect(await refusal(monitor.query(forbidden)), forbidden).toBe("42501");
});

test("S06: list, show, status and health open no session of the superuser", async () => {
  await askAsSuperuser(home, "ALTER SYSTEM SET log_connections = on");
  await askAsSuperuser(home, "SELECT pg_reload_conf()");
  await waitUntil(async () => (await askAsSuperuser(home, "SHOW log_connections"))[0]?.["log_connections"] === "on", {
    timeout: 10,
    what: "logins are logged",
  });
  const log = await currentLog(home.paths, "postgres");
  const before = (await stat(log)).size;
  const looks = [
    ["db", "list"],
    ["db", "list", "--deleted"],
    ["db", "show", "wiki"],
    ["db", "url", "wiki"],
    ["status"],
    ["health"],
  ];
  // The hub keeps its sessions: only a process of its own logs in again. What the hub does by itself is not meant.
  const hub = (await home.pid("hub"))!;
  process.kill(hub, "SIGSTOP");
  try {
    for (const args of looks) await home.run(["--local", ...args]);
  } finally {
    process.kill(hub, "SIGCONT");
  }
  const logins = (await readFile(log))
    .subarray(before)
    .toString()
    .split("\n")
    .map(readableLine)
    .join("\n")
    .match(/authorized: user=\S+ database=\S+ application_name=homelab$/gm);
  expect(new Set(logins)).toEqual(
    new Set(["authorized: user=homelab_monitor database=postgres application_name=homelab"]),
  );
});
