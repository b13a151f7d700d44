import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runAny } from "../../src/host/run.ts";
import { compareVersions } from "../../src/cluster/versions.ts";
import { readInstallation } from "../../src/site/installation.ts";
import { ask, connect } from "../harness/clients.ts";
import { checkout, TestHome } from "../harness/home.ts";
import { readSqlite, type SqliteTable } from "../harness/sqlite-application.ts";

let home: TestHome;
let bin: string;
let preparesInPool: boolean;
let urls: Awaited<ReturnType<TestHome["createDatabase"]>>;

beforeAll(async () => {
  home = await TestHome.up();
  const { machine } = (await readInstallation(home.paths))!;
  bin = machine.programs.postgresBin;
  preparesInPool = compareVersions(machine.versions.pgbouncer, [1, 21]) >= 0;
  urls = await home.createDatabase("bench");
  const made = await pgbench(urls.connection_url, "-i", "-q", "-s", "5");
  expect(made.exitCode, made.stderr).toBe(0);
});
afterAll(() => home.destroy());

/** pgbench with enough open files for a thousand clients. */
const pgbench = (url: string, ...words: string[]) =>
  runAny({ argv: ["prlimit", "--nofile=8192:", join(bin, "pgbench"), ...words, url], timeout: 150 });

const psql = (url: string, sql: string) =>
  runAny({ argv: [join(bin, "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", url], input: sql, timeout: 120 });

describe("a thousand clients through the pooler", () => {
  test.each([
    ["select-only", 40, ["-S"]],
    ["TPC-B", 10, []],
  ])("%s: no error, no failed transaction", async (name, each, words) => {
    // A number of transactions and not of seconds: a thousand logins may take longer than those on a busy machine.
    const run = await pgbench(urls.pooled_url, "-n", "-c", "1000", "-j", "2", "-t", String(each), ...words);
    expect(run.exitCode, run.stderr.slice(-2000)).toBe(0);
    expect(run.stderr).not.toMatch(/error|aborted|fatal/i);
    expect(run.stdout).toContain(`processed: ${each * 1000}/${each * 1000}`);
    expect(run.stdout).toContain("number of failed transactions: 0 (0.000%)");
    const rate = Math.round(Number(/tps = ([\d.]+)/.exec(run.stdout)?.[1]));
    console.log(`pgbench: 1000 clients pooled ${name} ${rate} tps, none failed`);
  });

  test("what TPC-B wrote adds up afterwards", async () => {
    const [sums] = await ask(
      urls.pooled_url,
      `SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history) AS accounts,
              (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history) AS branches`,
    );
    expect(sums).toEqual({ accounts: true, branches: true });
  });
});

describe("prepared statements through the pooler", () => {
  test("unnamed ones work with many clients, whatever PgBouncer's version is", async () => {
    const run = await pgbench(urls.pooled_url, "-n", "-c", "100", "-j", "2", "-t", "50", "-S", "-M", "extended");
    expect(run.exitCode, run.stderr.slice(-2000)).toBe(0);
    expect(run.stdout).toContain("number of failed transactions: 0 (0.000%)");
    const client = await connect(urls.pooled_url);
    expect((await client.query("SELECT $1::int + 1 AS n", [41])).rows).toEqual([{ n: 42 }]);
    await client.end();
  });

  test("named ones work from PgBouncer 1.21 on, and health tells of it before that", async () => {
    const run = await pgbench(urls.pooled_url, "-n", "-c", "50", "-j", "2", "-t", "50", "-S", "-M", "prepared");
    const { stdout } = await home.ok("health", "--verbose");
    if (preparesInPool) {
      expect(run.exitCode, run.stderr.slice(-2000)).toBe(0);
      expect(stdout).not.toContain("no prepared statements in transaction mode");
    } else {
      expect(run.stderr).toMatch(/prepared statement/);
      expect(stdout).toContain("no prepared statements in transaction mode");
    }
    // A driver that names its statements works on the direct URL in any case.
    const client = await connect(preparesInPool ? urls.pooled_url : urls.connection_url);
    for (const n of [1, 2])
      expect((await client.query({ name: "next", text: "SELECT $1::int + 1 AS n", values: [n] })).rows).toEqual([
        { n: n + 1 },
      ]);
    await client.end();
  });
});

describe("a real application's schema and data", () => {
  const file = join(checkout, "..", "shared", "corpus", "sqlite", "chinook.sqlite");

  test("load through the pooled URL, and read back the same with pg and with psql", async (context) => {
    if (!existsSync(file)) {
      console.log("SKIPPED: there is no Chinook beside this checkout, so no real application's data was loaded");
      return context.skip();
    }
    const tables = readSqlite(file);
    const { pooled_url: url } = await home.createDatabase("chinook");
    const schema = await psql(url, tables.map((table) => table.create).join("\n"));
    expect(schema.exitCode, schema.stderr).toBe(0);
    for (const table of tables) await insert(url, table);
    const keys = await psql(url, tables.flatMap((table) => table.foreignKeys).join("\n"));
    expect(keys.exitCode, keys.stderr).toBe(0);

    let rows = 0;
    for (const table of tables) {
      rows += table.rows.length;
      const columns = table.columns.map((column) => `"${column.name}"::text`).join(", ");
      const read = await ask<Record<string, string | null>>(url, `SELECT ${columns} FROM "${table.name}"`);
      expect(table.digest(read.map((row) => Object.values(row))), table.name).toBe(table.digest(table.rows));
    }
    // The same question to both: what psql prints is what pg was given.
    const question = tables
      .map(
        ({ name }) =>
          `SELECT '${name}' AS name, count(*) || ' ' || md5(string_agg(t::text, '|' ORDER BY t::text)) AS digest FROM "${name}" t`,
      )
      .join(" UNION ALL ");
    const byPg = await ask<{ name: string; digest: string }>(url, `${question} ORDER BY 1`);
    const byPsql = await psql(url, `${question} ORDER BY 1;\n`);
    expect(byPsql.stdout.trim().split("\n")).toEqual(byPg.map(({ name, digest }) => `${name}|${digest}`));
    const refused = `INSERT INTO "Album" ("AlbumId", "Title", "ArtistId") VALUES (-1, 'x', -1)`;
    await expect(ask(url, refused)).rejects.toThrow(/foreign key/);
    console.log(`application: Chinook, ${tables.length} tables, ${rows} rows, the same in SQLite, pg and psql`);
  });

  /** In batches, each one statement with unnamed parameters. */
  async function insert(url: string, table: SqliteTable): Promise<void> {
    const client = await connect(url);
    const names = table.columns.map((column) => `"${column.name}"`).join(", ");
    const size = Math.floor(20_000 / table.columns.length);
    for (let at = 0; at < table.rows.length; at += size) {
      const batch = table.rows.slice(at, at + size);
      const tuples = batch.map((row, r) => `(${row.map((_, c) => `$${r * row.length + c + 1}`).join(", ")})`);
      await client.query(`INSERT INTO "${table.name}" (${names}) VALUES ${tuples.join(", ")}`, batch.flat());
    }
    await client.end();
  }
});
