import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { currentLog } from "../../src/engines/logs.ts";
import { ask, askAsSuperuser, connect, openSiteOf, refusal } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";

let home: TestHome;

beforeAll(async () => {
  home = await TestHome.up();
  await home.createDatabase("innocent");
});
afterAll(() => home.destroy());

/** A body that tells the server's log who runs it: whoever is not the tenant has been tricked. */
const canary = (answer: string) =>
  `LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'CANARY %', current_user; RETURN ${answer}; END $$`;

/** Functions with just the arguments that the platform's own questions have, in the schema that would be looked in first. */
const functions = [
  ["shobj_description(oid, name)", "text", "NULL"],
  ["has_database_privilege(text, oid, text)", "boolean", "true"],
  ["has_database_privilege(name, oid, text)", "boolean", "true"],
  ["has_schema_privilege(text, oid, text)", "boolean", "false"],
  ["current_setting(text)", "text", "'planted'"],
  ["pg_is_in_recovery()", "boolean", "false"],
  ["pg_terminate_backend(int)", "boolean", "true"],
  ["pg_database_size(oid)", "bigint", "1"],
  ["pg_backend_pid()", "int", "1"],
  ["pg_stat_get_db_numbackends(oid)", "int", "1"],
  ["to_regprocedure(text)", "regprocedure", "NULL"],
  ["now()", "timestamptz", "'infinity'::timestamptz"],
  ["same(name, text)", "boolean", "true"],
  ["same(name, name)", "boolean", "true"],
  ["same(oid, oid)", "boolean", "true"],
  ["same(text, text)", "boolean", "true"],
];
const operators = ["name, text", "name, name", "oid, oid", "text, text"].map((types) => {
  const [left, right] = types.split(", ");
  return `CREATE OPERATOR public.= (FUNCTION = public.same, LEFTARG = ${left}, RIGHTARG = ${right})`;
});
const views = [
  "CREATE FUNCTION public.row_canary() RETURNS name LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'CANARY %', current_user; RETURN 'planted'; END $$",
  ...["pg_database", "pg_roles", "pg_authid", "pg_stat_activity", "pg_extension", "pg_proc", "pg_namespace"].map(
    (name) =>
      `CREATE VIEW public.${name} AS SELECT public.row_canary() AS datname, public.row_canary() AS rolname, 1::oid AS oid`,
  ),
];
/** A row security policy runs for whoever reads the table, and pg_dump reads every table. */
const policy = [
  "CREATE TABLE trap (id int)",
  "INSERT INTO trap VALUES (1)",
  "CREATE POLICY tell ON trap USING (public.row_canary() IS NOT NULL)",
  "ALTER TABLE trap ENABLE ROW LEVEL SECURITY",
  "ALTER TABLE trap FORCE ROW LEVEL SECURITY",
];
/** What an owner may set for everybody who enters the database, the superuser too. */
const settings = [
  "search_path = public, pg_catalog",
  "default_transaction_read_only = on",
  "default_transaction_isolation = 'serializable'",
  "row_security = on",
  "standard_conforming_strings = off",
  "check_function_bodies = off",
  "client_min_messages = debug1",
  "lock_timeout = 1",
  "idle_in_transaction_session_timeout = 1",
  "bytea_output = escape",
  "datestyle = 'German'",
  "timezone = 'Pacific/Apia'",
  "extra_float_digits = -15",
  "default_with_oids = off",
];

test("F94: what a tenant plants never runs as anybody but the tenant, and every job of the platform still works", async () => {
  const urls = await home.createDatabase("evil");
  const app = await connect(urls.connection_url);
  for (const [signature, type, answer] of functions)
    await app.query(`CREATE FUNCTION public.${signature} RETURNS ${type} ${canary(answer!)}`);
  for (const statement of [...operators, ...views, ...policy]) await app.query(statement);
  await app.query("GRANT USAGE, CREATE ON SCHEMA public TO PUBLIC");
  for (const setting of settings) await app.query(`ALTER DATABASE evil SET ${setting}`);
  await app.query("ALTER DATABASE evil SET role = 'evil_owner'");
  await app.end();

  const path = await currentLog(home.paths, "postgres");
  const canaries = () => [...readFileSync(path, "utf8").matchAll(/CANARY (\w+)/g)].map((match) => match[1]);
  const tenant = await connect(urls.connection_url);
  await tenant.query("SET search_path = public, pg_catalog");
  await tenant.query("SELECT pg_is_in_recovery()");
  await tenant.end();
  expect(canaries(), "the trap works").toContain("evil_owner");

  await home.createDatabase("evil");
  await home.ok("db", "create", "evil", "--extension", "pg_trgm", "--connection-limit", "50");
  await home.ok("db", "list");
  expect((await home.ok("db", "show", "evil", "--json")).json()).toMatchObject({ owner: "evil_owner", managed: true });
  expect((await home.run(["health"])).exitCode).toBe(0);
  await home.ok("up");
  await home.ok("db", "rotate", "evil");
  await home.ok("db", "rotate", "evil", "--finish");
  const shell = await home.run(["db-shell", "evil"], { input: "SELECT pg_is_in_recovery();\n" });
  expect(shell.exitCode, shell.stderr).toBe(0);
  await home.ok("db", "delete", "evil", "--confirm", "evil");
  expect((await home.ok("db", "list")).stdout).toContain("innocent");
  await home.ok("db", "undelete", "evil");
  const url = (await home.ok("db", "url", "evil", "--direct")).stdout.trim();
  expect(await ask(url, "SELECT to_regproc('public.row_canary') IS NOT NULL AS there")).toEqual([{ there: true }]);

  expect(canaries().filter((who) => who !== "evil_owner" && who !== "evil_app" && who !== "evil_app_b")).toEqual([]);
  const [elevated] = await askAsSuperuser(
    home,
    "SELECT count(*)::int AS n FROM pg_roles WHERE rolname LIKE 'evil%' AND (rolsuper OR rolcreaterole OR rolcreatedb)",
  );
  expect(elevated).toEqual({ n: 0 });
});

test("F94: sessions of the platform inside a tenant's database keep their own settings", async () => {
  const url = (await home.ok("db", "url", "innocent", "--direct")).stdout.trim();
  for (const setting of ["search_path = public", "statement_timeout = 1", "default_transaction_read_only = on"])
    await ask(url, `ALTER DATABASE innocent SET ${setting}`);
  const site = await openSiteOf(home);
  try {
    const names = ["search_path", "statement_timeout", "default_transaction_read_only", "role", "row_security"];
    const shown = await (
      await site.postgres()
    ).within("innocent", (session) =>
      session.query<{ name: string; setting: string; source: string }>(
        "SELECT name, setting, source FROM pg_catalog.pg_settings WHERE name = ANY($1)",
        [names],
      ),
    );
    const value = (name: string) => shown.find((row) => row.name === name)?.setting;
    expect(value("search_path")?.replace(/[" ]/g, "")).toBe("pg_catalog,pg_temp");
    expect(Number(value("statement_timeout"))).toBeGreaterThan(1000);
    expect(value("default_transaction_read_only")).toBe("off");
    for (const row of shown) expect(row.source, row.name).not.toBe("database");
  } finally {
    await site.close();
  }
});

test("F94: what belongs to the platform inside a tenant's database cannot be changed or replaced by the tenant", async () => {
  const client = await connect((await home.createDatabase("curious")).connection_url);
  const lookups = await client.query("SELECT 1 FROM pg_namespace WHERE nspname = 'pgbouncer'");
  if (lookups.rowCount) {
    for (const statement of [
      "DROP SCHEMA pgbouncer CASCADE",
      "DROP FUNCTION pgbouncer.user_lookup(text)",
      "SELECT * FROM pgbouncer.user_lookup('postgres')",
      "ALTER SCHEMA pgbouncer RENAME TO mine",
    ])
      expect(await refusal(client.query(statement)), statement).toBe("42501");
  }
  for (const statement of [
    "SELECT rolpassword FROM pg_authid",
    "COMMENT ON ROLE curious_app IS 'homelab {}'",
    "ALTER ROLE curious_app CONNECTION LIMIT -1",
    "ALTER ROLE curious_owner LOGIN",
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "SELECT pg_read_file('/etc/passwd')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION mine()",
    "ALTER SYSTEM SET log_statement = 'all'",
  ])
    expect(await refusal(client.query(statement)), statement).toMatch(/^(42501|42883)$/);
  await client.end();
});
