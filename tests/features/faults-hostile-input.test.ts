import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { currentLog } from "../../src/engines/logs.ts";
import { credentialsPath } from "../../src/site/credentials.ts";
import { askAsSuperuser } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";
import { hostileNames } from "../harness/hostile-names.ts";

let home: TestHome;

beforeAll(async () => {
  home = await TestHome.up();
});
afterAll(() => home.destroy());

/** Everything that a creation could leave behind. */
async function everything(): Promise<unknown> {
  const databases = await askAsSuperuser(home, "SELECT datname, datdba FROM pg_database ORDER BY 1");
  const roles = await askAsSuperuser(home, "SELECT * FROM pg_authid ORDER BY rolname");
  return { databases, roles, files: readFileSync(`${home.paths.etc}/pgbouncer.ini`, "utf8") };
}

test(`F92: ${hostileNames.length} hostile names are refused with what to do instead, and nothing is made`, async () => {
  const before = await everything();
  const wrong: string[] = [];
  const refuse = async (name: string) => {
    // Behind -- a name that begins with a hyphen is a name, too.
    const { exitCode, stdout, stderr } = await home.run(["db", "create", "--", name]);
    const helpful = /would do\.|Use lower-case letters|characters|expected/.test(stderr);
    // oxlint-disable-next-line no-control-regex
    const clean = stdout === "" && !/[\u0000-\u0009\u000b-\u001f\u202e]/.test(stderr);
    if (exitCode !== 2 || !helpful || !clean) wrong.push(`${JSON.stringify(name.slice(0, 40))} ${exitCode} ${stderr}`);
  };
  for (let i = 0; i < hostileNames.length; i += 6) await Promise.all(hostileNames.slice(i, i + 6).map(refuse));
  expect(wrong).toEqual([]);
  expect(await everything()).toEqual(before);
});

const injections = [`x"; DROP DATABASE postgres; --`, "x'; SELECT 1; --", "x\nSUPERUSER", "X", "x y", "", "$1", "x;y"];
const flags = ["--owner", "--extension", "--template", "--statement-timeout", "--connection-limit"];

test("F93: SQL in any option is refused, and nothing is made", async () => {
  const before = await everything();
  const attempts = flags.flatMap((flag) => injections.map((value) => [flag, value]));
  const more = [
    ["--statement-timeout", "5s'; ALTER ROLE x SUPERUSER; --"],
    ["--statement-timeout", "-1"],
    ["--connection-limit", "1 SUPERUSER"],
    ["--connection-limit", "99999999"],
    ["--owner", "pg_write_all_data"],
  ];
  const wrong: string[] = [];
  const refuse = async ([flag, value]: string[]) => {
    const { exitCode, stderr } = await home.run(["db", "create", "injected", `${flag}=${value}`]);
    if (exitCode !== 2) wrong.push(`${flag} ${JSON.stringify(value)} ${exitCode} ${stderr}`);
  };
  const all = [...attempts, ...more];
  for (let i = 0; i < all.length; i += 6) await Promise.all(all.slice(i, i + 6).map(refuse));
  expect(wrong).toEqual([]);
  expect(await everything()).toEqual(before);
});

/** Every kind of statement that a creation may send, as a template: names stand in quotes, verifiers are SCRAM's. */
const allowed = [
  /^(BEGIN|COMMIT|ROLLBACK)$/,
  /^SELECT [^;]*$/,
  /^CREATE ROLE "audited_owner" NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS$/,
  /^CREATE ROLE "audited_(app|ro)" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT \d+ PASSWORD 'SCRAM-SHA-256\$[^']+'( IN ROLE "audited_owner")?$/,
  /^ALTER ROLE "audited_(app|ro)" SET "(statement_timeout|idle_in_transaction_session_timeout|role|default_transaction_read_only)" = '[a-z0-9_]+'$/,
  /^COMMENT ON ROLE "audited_app" IS 'homelab \{[^']*\}'$/,
  /^CREATE DATABASE "audited" OWNER "audited_owner" TEMPLATE "template0" STRATEGY wal_log( CONNECTION LIMIT 0)?$/,
  /^ALTER DATABASE "audited" CONNECTION LIMIT -1$/,
  /^REVOKE ALL ON DATABASE "audited" FROM PUBLIC$/,
  /^GRANT CONNECT ON DATABASE "audited" TO ("[a-z_]+"(, )?)+$/,
  /^(REVOKE ALL ON SCHEMA public FROM PUBLIC|ALTER SCHEMA public OWNER TO "audited_owner")$/,
  /^GRANT (USAGE ON|SELECT ON ALL TABLES IN|SELECT ON ALL SEQUENCES IN) SCHEMA public TO "audited_ro"$/,
  /^ALTER DEFAULT PRIVILEGES FOR ROLE "audited_owner" GRANT (SELECT|USAGE) ON (TABLES|SEQUENCES|SCHEMAS) TO "audited_ro"$/,
  /^CREATE EXTENSION IF NOT EXISTS "pg_trgm" WITH SCHEMA public CASCADE$/,
  // The pooler's lookup, the same text in every database.
  /^(CREATE SCHEMA IF NOT EXISTS|ALTER SCHEMA|REVOKE ALL ON SCHEMA|GRANT USAGE ON SCHEMA) pgbouncer\b[^;']*$/,
  /^(DROP FUNCTION IF EXISTS|REVOKE ALL ON FUNCTION|GRANT EXECUTE ON FUNCTION) pgbouncer\.user_lookup\(text\)[^;']*$/,
  /^CREATE (OR REPLACE )?FUNCTION pgbouncer\.user_lookup\(.*SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS \$lookup\$.*\$lookup\$$/s,
];

test("F93: a creation sends statements of known templates alone, and no password ever", async () => {
  await askAsSuperuser(home, "ALTER SYSTEM SET log_statement = 'all'");
  await askAsSuperuser(home, "SELECT pg_reload_conf()");
  const isOn = async () => (await askAsSuperuser(home, "SHOW log_statement"))[0]!["log_statement"] === "all";
  await waitUntil(isOn, { timeout: 20, what: "statements are logged" });
  const path = await currentLog(home.paths, "postgres");
  const start = readFileSync(path, "utf8").length;
  await home.ok("db", "create", "audited", "--extension", "pg_trgm", "--statement-timeout", "9s");
  // The log is written by a process of its own: once the last statement is in it, so are all before.
  await askAsSuperuser(home, "SELECT 'the end of it'");
  const read = () => readFileSync(path, "utf8").slice(start);
  await waitUntil(async () => read().includes("the end of it"), { timeout: 20, what: "the log is written" });
  const log = read();
  await askAsSuperuser(home, "ALTER SYSTEM RESET log_statement");

  const entries = log
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { application_name?: string; message: string });
  const texts = entries
    // What the hub keeps of itself is another matter: it goes to its own database, with parameters alone.
    .filter((entry) => entry.application_name?.startsWith("homelab") && entry.application_name !== "homelab hub")
    .flatMap((entry) => /^(?:statement|execute [^:]+): (.*)$/s.exec(entry.message)?.[1] ?? []);
  const statements = texts.flatMap((text) => text.split(";").map((part) => part.trim().replace(/\s+/g, " ")));
  const sent = statements.filter((statement) => statement !== "");
  expect(sent.some((statement) => statement.startsWith("CREATE DATABASE"))).toBe(true);
  expect(sent.filter((statement) => !allowed.some((template) => template.test(statement)))).toEqual([]);
  const { app, read_only } = JSON.parse(readFileSync(credentialsPath(home.paths, "audited"), "utf8")) as Record<
    "app" | "read_only",
    { password: string }
  >;
  for (const { password } of [app, read_only]) expect(readFileSync(path, "utf8")).not.toContain(password);
});
