import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, askAsSuperuser, connect, connectAsSuperuser, refusal } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";

type Urls = Awaited<ReturnType<TestHome["createDatabase"]>>;

let home: TestHome;
/** The one who tries, and the one whose things are tried. */
let alice: Urls;
let bob: Urls;
let session: Client;

beforeAll(async () => {
  home = await TestHome.up();
  alice = await home.createDatabase("alice");
  bob = (await home.ok("db", "create", "bob", "--connection-limit", "3", "--json")).json<Urls>();
  await ask(bob.connection_url, "CREATE TABLE secret (v text); INSERT INTO secret VALUES ('of bob')");
  session = await connect(alice.connection_url);
});
afterAll(async () => {
  await session?.end();
  await home.destroy();
});

/** The URL of a login, for another database. */
function elsewhere(url: string, database: string): string {
  const other = new URL(url);
  other.pathname = `/${database}`;
  return other.toString();
}

const NOBODY = "nothing was refused";
const PRIVILEGE = "42501";

describe("S44: tenant A on everything of tenant B", () => {
  test.each(["bob", "postgres", "template1", "template0"])(
    "S44: A cannot connect to %s, directly or through the pooler",
    async (database) => {
      const { read_only } = JSON.parse(readFileSync(join(home.paths.credentials, "alice.json"), "utf8")) as {
        read_only: { user: string; password: string };
      };
      const reader = new URL(alice.connection_url);
      reader.username = read_only.user;
      reader.password = read_only.password;
      for (const url of [alice.connection_url, reader.toString()])
        expect(await refusal(ask(elsewhere(url, database), "SELECT 1"))).toMatch(/^(42501|55000)$/);
      expect(await refusal(ask(elsewhere(alice.pooled_url, database), "SELECT 1"))).not.toBe(NOBODY);
    },
  );

  test.each([
    ["reads a file of the server", "SELECT pg_read_file('PG_VERSION')", PRIVILEGE],
    ["reads a binary file of the server", "SELECT pg_read_binary_file('global/1260')", PRIVILEGE],
    ["lists a folder of the server", "SELECT * FROM pg_ls_dir('.')", PRIVILEGE],
    ["lists the logs", "SELECT * FROM pg_ls_logdir()", PRIVILEGE],
    ["runs a program", "COPY (SELECT 1) TO PROGRAM 'id'", PRIVILEGE],
    ["reads what a program prints", "CREATE TEMP TABLE t (v text); COPY t FROM PROGRAM 'id'", PRIVILEGE],
    ["reads a file by COPY", "CREATE TEMP TABLE t (v text); COPY t FROM '/etc/passwd'", PRIVILEGE],
    ["writes a file by COPY", "COPY (SELECT 1) TO '/tmp/x'", PRIVILEGE],
    ["imports a file as a large object", "SELECT lo_import('/etc/passwd')", PRIVILEGE],
    ["exports a large object", "SELECT lo_export(lo_from_bytea(0, 'x'), '/tmp/x')", PRIVILEGE],
    ["reaches other servers by dblink", "CREATE EXTENSION dblink", PRIVILEGE],
    ["reaches files by file_fdw", "CREATE EXTENSION file_fdw", PRIVILEGE],
    ["reaches other servers by postgres_fdw", "CREATE EXTENSION postgres_fdw", PRIVILEGE],
    ["reaches files by adminpack", "CREATE EXTENSION adminpack", /42501|0A000|58P01/],
    ["has an untrusted language", "CREATE EXTENSION plpython3u", /42501|0A000|58P01/],
    ["writes functions in C", "CREATE FUNCTION f() RETURNS int AS 'libc', 'getpid' LANGUAGE c", PRIVILEGE],
    ["loads a library", "LOAD '/tmp/x.so'", /42501|58P01/],
    ["makes a database", "CREATE DATABASE x", PRIVILEGE],
    ["makes a role", "CREATE ROLE x", PRIVILEGE],
    ["makes itself more", "ALTER ROLE alice_app SUPERUSER", PRIVILEGE],
    ["lets its role make roles", "ALTER ROLE alice_owner CREATEROLE", PRIVILEGE],
    ["raises its own limit", "ALTER ROLE alice_app CONNECTION LIMIT -1", PRIVILEGE],
    ["lengthens its own time", "ALTER ROLE alice_app VALID UNTIL 'infinity'", PRIVILEGE],
    ["changes B's password", "ALTER ROLE bob_app PASSWORD 'x'", PRIVILEGE],
    ["becomes B's owner", "SET ROLE bob_owner", PRIVILEGE],
    ["becomes B's app", "SET ROLE bob_app", PRIVILEGE],
    ["becomes B's reader", "SET SESSION AUTHORIZATION bob_ro", PRIVILEGE],
    ["becomes the superuser", "SET ROLE postgres", PRIVILEGE],
    ["becomes the monitor", "SET ROLE homelab_monitor", PRIVILEGE],
    ["grants itself B's role", "GRANT bob_owner TO alice_app", PRIVILEGE],
    ["grants itself a role of the server", "GRANT pg_read_all_data TO alice_app", PRIVILEGE],
    ["reads verifiers", "SELECT rolpassword FROM pg_authid", PRIVILEGE],
    ["reads verifiers by the older view", "SELECT passwd FROM pg_shadow", PRIVILEGE],
    ["reads user mappings", "SELECT * FROM pg_user_mapping", PRIVILEGE],
    ["reads who may log in how", "SELECT * FROM pg_hba_file_rules", PRIVILEGE],
    ["reads the server's files of settings", "SELECT * FROM pg_file_settings", PRIVILEGE],
    ["changes the server's settings", "ALTER SYSTEM SET fsync = off", PRIVILEGE],
    ["changes what is logged", "SET log_statement = 'none'", PRIVILEGE],
    ["turns triggers off for itself", "SET session_replication_role = replica", PRIVILEGE],
    ["reloads the server", "SELECT pg_reload_conf()", PRIVILEGE],
    ["switches the WAL", "SELECT pg_switch_wal()", PRIVILEGE],
    ["reserves WAL by a slot", "SELECT pg_create_physical_replication_slot('x')", /42501|55000/],
    ["reserves WAL by a logical slot", "SELECT pg_create_logical_replication_slot('x', 'pgoutput')", /42501|55000/],
    ["subscribes to a server", "CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p", PRIVILEGE],
    ["makes a tablespace", "CREATE TABLESPACE t LOCATION '/tmp'", PRIVILEGE],
    [
      "makes an event trigger",
      "CREATE FUNCTION et() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION et()",
      PRIVILEGE,
    ],
    ["renames B's database", "ALTER DATABASE bob RENAME TO x", PRIVILEGE],
    ["drops B's database", "DROP DATABASE bob", PRIVILEGE],
    ["sets something for B's database", "ALTER DATABASE bob SET work_mem = '1MB'", PRIVILEGE],
    ["opens B's database", "GRANT CONNECT ON DATABASE bob TO alice_app", PRIVILEGE],
    ["sees how large B's database is", "SELECT pg_database_size('bob')", PRIVILEGE],
    [
      "changes the pooler's lookup",
      "CREATE OR REPLACE FUNCTION pgbouncer.user_lookup(text) RETURNS record LANGUAGE sql AS 'SELECT 1'",
      /42501|3F000/,
    ],
    ["drops the pooler's lookup", "DROP SCHEMA pgbouncer CASCADE", /42501|3F000/],
    ["marks a role as another database's", "COMMENT ON ROLE alice_app IS 'homelab {}'", PRIVILEGE],
    ["marks B's role", "COMMENT ON ROLE bob_app IS 'homelab {}'", PRIVILEGE],
    ["writes to the catalog", "UPDATE pg_database SET datacl = NULL", PRIVILEGE],
  ])("S44: A never %s", async (_what, statement, expected) => {
    for (const role of ["alice_owner", "none"]) {
      await session.query(`ROLLBACK; SET ROLE ${role}`);
      const code = await refusal(session.query(`BEGIN; ${statement}`));
      // Some statements are refused inside a transaction whoever asks.
      const refused =
        code === "25001" ? await refusal(session.query(`ROLLBACK`).then(() => session.query(statement))) : code;
      expect(refused, `${role}: ${statement}`).toMatch(expected);
    }
    await session.query("ROLLBACK; SET ROLE alice_owner");
  });

  test("S44: A sees nothing of B's sessions, and ends none", async () => {
    const other = await connect(bob.connection_url);
    const [{ pid }] = (await other.query<{ pid: number }>("SELECT pg_backend_pid() AS pid, 'a word of bob' AS word"))
      .rows as [{ pid: number }];
    const { rows } = await session.query("SELECT query, client_addr FROM pg_stat_activity WHERE pid = $1", [pid]);
    expect(rows).toEqual([{ query: "<insufficient privilege>", client_addr: null }]);
    for (const act of ["pg_terminate_backend", "pg_cancel_backend"])
      expect(await refusal(session.query(`SELECT ${act}($1)`, [pid]))).toBe(PRIVILEGE);
    expect((await other.query("SELECT v FROM secret")).rows).toEqual([{ v: "of bob" }]);
    await other.end();
  });

  test("S44: what the platform knows of databases tells A no secret", async () => {
    const { rows } = await session.query<{ description: string }>("SELECT description FROM pg_shdescription");
    const known = rows.map((row) => row.description).join("\n");
    expect(known).toContain('"database":"bob"');
    for (const secret of [bob.password, alice.password, "SCRAM-SHA-256", "password"])
      expect(known).not.toContain(secret);
  });
});

test("S44: the limit of connections holds for the app, and leaves the others in", async () => {
  const attempts = await Promise.allSettled([1, 2, 3, 4].map(async () => connect(bob.connection_url)));
  const refused = attempts.filter((attempt) => attempt.status === "rejected");
  expect(refused.length).toBeGreaterThan(0);
  for (const { reason } of refused) expect((reason as { code: string }).code).toBe("53300");
  const [sessions] = await askAsSuperuser(
    home,
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'bob_app'",
  );
  expect(sessions).toEqual({ n: 3 });
  expect(await ask(alice.connection_url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  for (const attempt of attempts) if (attempt.status === "fulfilled") await attempt.value.end();
});

test("S44: nobody but its own roles may enter a database, not even while it is made", async () => {
  const admin = await connectAsSuperuser(home);
  const ended = new AbortController();
  const intruder = (async () => {
    const got: string[] = [];
    while (!ended.signal.aborted) {
      const client = await connect(elsewhere(alice.connection_url, "carol")).catch(() => undefined);
      if (client) got.push("in");
      await client?.end();
    }
    return got;
  })();
  await home.createDatabase("carol");
  ended.abort();
  expect(await intruder).toEqual([]);
  const { rows } = await admin.query(
    `SELECT datname, rolname FROM pg_database, pg_roles
     WHERE datname IN ('alice', 'bob', 'carol', 'postgres') AND has_database_privilege(rolname, datname, 'CONNECT')
       AND NOT rolsuper AND NOT starts_with(rolname, datname || '_') AND rolname NOT IN ('homelab_monitor', 'pgbouncer_auth')`,
  );
  expect(rows).toEqual([]);
  await admin.end();
});

test("S44: the read-only login reads what the app makes, and writes nothing, whatever it sets", async () => {
  const { read_only_url: url } = (await home.ok("db", "url", "bob", "--json")).json<{ read_only_url: string }>();
  const reader = await connect(url);
  expect((await reader.query("SELECT v FROM secret")).rows).toEqual([{ v: "of bob" }]);
  expect(await refusal(reader.query("INSERT INTO secret VALUES ('x')"))).toBe("25006");
  await reader.query("SET default_transaction_read_only = off");
  for (const statement of [
    "INSERT INTO secret VALUES ('x')",
    "CREATE TABLE x ()",
    "CREATE SCHEMA x",
    "CREATE TEMP TABLE x ()",
    "TRUNCATE secret",
    "SET ROLE bob_owner",
  ])
    expect(await refusal(reader.query(statement)), statement).toBe(PRIVILEGE);
  await reader.end();
});

const ROLES = `SELECT rolname AS name, rolcanlogin AS login,
    rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls AS more,
    ARRAY(SELECT m.roleid::regrole::text FROM pg_auth_members m WHERE m.member = r.oid) AS member_of
  FROM pg_roles r WHERE rolname ~ '^(alice|bob)_' ORDER BY 1`;

test("S45: no role of an app is more than a role of its database, and the owner is no login", async () => {
  await home.ok("db", "rotate", "bob");
  const role = (name: string, login: boolean, member_of: string[]) => ({ name, login, more: false, member_of });
  expect(await askAsSuperuser(home, ROLES)).toEqual([
    role("alice_app", true, ["alice_owner"]),
    role("alice_owner", false, []),
    role("alice_ro", true, []),
    role("bob_app", true, ["bob_owner"]),
    role("bob_app_b", true, ["bob_owner"]),
    role("bob_owner", false, []),
    role("bob_ro", true, []),
  ]);
  const owners = await askAsSuperuser(
    home,
    "SELECT datname AS name, datdba::regrole::text AS owner FROM pg_database WHERE datname IN ('alice', 'bob') ORDER BY 1",
  );
  expect(owners).toEqual([
    { name: "alice", owner: "alice_owner" },
    { name: "bob", owner: "bob_owner" },
  ]);
});

test("S45: a role that somebody else made is neither taken over nor changed", async () => {
  await askAsSuperuser(home, "CREATE ROLE dora_app SUPERUSER LOGIN PASSWORD 'of dora'");
  const before = await askAsSuperuser(home, "SELECT * FROM pg_authid WHERE rolname ~ '^dora_'");
  const { exitCode, stderr } = await home.run(["db", "create", "dora"]);
  expect([exitCode, stderr]).toEqual([
    4,
    expect.stringContaining("the role dora_app exists and was not made by homelab"),
  ]);
  expect(await askAsSuperuser(home, "SELECT * FROM pg_authid WHERE rolname ~ '^dora_'")).toEqual(before);
  expect(await askAsSuperuser(home, "SELECT 1 FROM pg_database WHERE datname = 'dora'")).toEqual([]);
});

test("S45: a role that could log in or do more is no owner of a database", async () => {
  await askAsSuperuser(home, "CREATE ROLE strong NOLOGIN CREATEROLE");
  for (const owner of [
    "strong",
    "dora_app",
    "alice_app",
    "postgres",
    "homelab_monitor",
    "pgbouncer_auth",
    "jarvis",
    "replicator",
  ]) {
    const { exitCode } = await home.run(["db", "create", "eve", "--owner", owner]);
    expect(exitCode, owner).toBe(2);
  }
  expect(await askAsSuperuser(home, "SELECT 1 FROM pg_database WHERE datname = 'eve'")).toEqual([]);
});
