import { readdirSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CopyReport } from "../../src/site/read-copy.ts";
import { readMark } from "../../src/engines/postgres/marks.ts";
import { makeMark } from "../../src/site/mark.ts";
import type { ProofResult } from "../../src/site/proof.ts";
import { readCopy } from "../../src/site/read-copy.ts";
import type { Site } from "../../src/site/site.ts";
import { askAsSuperuser, openSiteOf } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";

let home: TestHome;
const inShop = <R extends Record<string, unknown>>(text: string) => askAsSuperuser<R>(home, text, "shop");

/** Types whose values PostgreSQL itself cannot hash, a value that is kept out of line, and one of each that text depends on. */
const TABLES = `
  CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL);
  INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 2000) n;
  CREATE TABLE odd (doc json, spot point, paid money, at timestamptz, span interval, raw bytea, "r" int, "t" xml);
  INSERT INTO odd SELECT '{"a": 1}', '(1,2)', 12.5, '2026-11-20 12:00+00', '1 day 2 hours', '\\x00ff', n, '<a/>'
    FROM generate_series(1, 50) n;
  CREATE TABLE large (id int, value text);
  ALTER TABLE large ALTER value SET STORAGE EXTERNAL;
  INSERT INTO large SELECT n, repeat(md5(n::text), 2000) FROM generate_series(1, 20) n;
  CREATE TABLE counter (id int PRIMARY KEY, seen int);
  INSERT INTO counter SELECT n, 0 FROM generate_series(1, 100) n;
  CREATE UNLOGGED TABLE scribbles (id int);
  INSERT INTO scribbles VALUES (1);
  CREATE TABLE "Strange ""name""" (id int);
  INSERT INTO "Strange ""name""" VALUES (7);
  SELECT lo_from_bytea(0, 'a large object');`;

interface Listed {
  label: string;
  checked: boolean;
  fault: string | null;
  proven_at: string | null;
}

const backups = async (): Promise<Listed[]> =>
  (await home.ok("db", "list-backups", "--json")).json<{ items: Listed[] }>().items;

const newest = async (): Promise<Listed> => (await backups())[0]!;

const proofs = async (): Promise<{ state: string; says: string | null; result: ProofResult | null }[]> =>
  (await home.ok("api", "GET", "/api/proofs")).json<{ items: never[] }>().items;

/** What a proof leaves behind: nothing. */
const leftovers = (): string[] => [
  ...readdirSync(home.paths.scratch),
  ...readdirSync(home.paths.run).filter((name) => /^x.$/.test(name)),
];

beforeAll(async () => {
  home = await TestHome.up();
  await home.createDatabase("shop");
  await inShop(TABLES);
  await home.ok("db", "backup", "full");
});
afterAll(() => home.destroy());

describe("a proof", () => {
  test("F72: a drill restores the newest backup to a random second, and finds there what the cluster had written down", async () => {
    // Written behind the mark, and so read, but no part of the comparison.
    await inShop("INSERT INTO item SELECT n, 'later' FROM generate_series(2001, 2500) n");
    await inShop("UPDATE counter SET seen = 1 WHERE id <= 10");
    const run = await home.ok("db", "verify", "--json");
    const { result } = run.json<{ result: ProofResult }>();
    expect(result).toMatchObject({
      proven: true,
      faults: [],
      live_faults: [],
      sampled: 0,
      not_compared: 0,
      reasons: [],
    });
    expect(result.label).toBe((await newest()).label);
    expect(result.mark_at).not.toBeNull();
    expect(result.mark_at! <= result.to).toBe(true);
    expect(result.equal + result.changed).toBeGreaterThan(10);
    expect(result.rows).toBeGreaterThan(2000);
    expect(result.relations).toBeGreaterThan(100);
    expect(result.rto_seconds).toBeGreaterThan(0);
    expect((await newest()).proven_at).toBe(result.finished_at);
    const window = (await home.ok("api", "GET", "/api/recovery-window")).json<{ last_proven_at: string }>();
    expect(window.last_proven_at).toBe(result.finished_at);
    expect(await proofs()).toMatchObject([{ state: "proven", says: null, result }]);
    expect(leftovers()).toEqual([]);
    console.log(
      `F72: proven to ${result.to}: ${result.tables} tables, ${result.rows} rows, ${result.equal} equal, ` +
        `${result.changed} changed since; restore ${result.seconds.restore} s, replay ${result.seconds.replay} s, ` +
        `pg_amcheck ${result.seconds.structure} s, reading ${result.seconds.read} s; ` +
        `RTO ${result.rto_seconds} s, RPO ${result.rpo_seconds} s`,
    );
  });

  test("is refused for a second that nothing leads to, with what can be had back, and for a backup that is not there", async () => {
    const early = await home.run(["db", "verify", "--to", "2020-01-01 00:00"]);
    expect(early).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("is proven with a second from") as string,
    });
    expect((await home.run(["db", "verify", "20200101-000000F"])).exitCode).toBe(7);
    expect((await home.run(["db", "verify", "20200101-000000F", "--latest"])).exitCode).toBe(2);
  });

  test("a dry run says what would be done, and does nothing", async () => {
    const before = await proofs();
    const { stdout } = await home.ok("db", "verify", "--dry-run");
    expect(stdout).toContain("pg_amcheck");
    expect(await proofs()).toHaveLength(before.length);
  });
});

describe("what a mark is compared with", () => {
  let site: Site;

  beforeAll(async () => {
    site = await openSiteOf(home);
    await askAsSuperuser(home, "CREATE DATABASE original");
    await askAsSuperuser(home, TABLES, "original");
    await makeMark(site, "op_test-mark");
    await copyAnew();
  });
  afterAll(async () => {
    await site.close();
    for (const name of ["copied", "original"]) await askAsSuperuser(home, `DROP DATABASE ${name}`);
  });

  /** The same tables with the same ids and the same transactions, as a restore would have them. */
  async function copyAnew(): Promise<void> {
    await (await site.postgres()).leave();
    await askAsSuperuser(home, "DROP DATABASE IF EXISTS copied");
    await askAsSuperuser(home, "CREATE DATABASE copied TEMPLATE original");
  }

  /** Compares `copied` with what a mark says of `original`; `original` is the live one. */
  async function compared(mark = "op_test-mark"): Promise<CopyReport> {
    const sessions = await site.postgres();
    const [row] = await askAsSuperuser<{ oid: number }>(home, "SELECT oid FROM pg_database WHERE datname = 'copied'");
    const marked = (await readMark(await sessions.admin(), mark)).find(({ name }) => name === "original")!;
    const live = {
      admin: () => sessions.admin(),
      within: (name, work) => sessions.within(name === "copied" ? "original" : name, work),
    } as typeof sessions;
    const report = await readCopy({
      within: (database, work) => sessions.within(database, work),
      isUp: async () => true,
      live,
      mark: [{ ...marked, oid: row!.oid }],
      signal: new AbortController().signal,
    });
    await sessions.leave();
    return report;
  }

  const inCopy = (text: string) => askAsSuperuser(home, text, "copied");
  const inOriginal = (text: string) => askAsSuperuser(home, text, "original");

  test("a copy that has all that the mark saw is equal, whatever was added", async () => {
    await inCopy("INSERT INTO item SELECT n, 'later' FROM generate_series(2001, 2100) n");
    const report = await compared();
    expect(report).toMatchObject({ changed: 0, not_compared: 0, faults: [] });
    // Five tables of its own, and the large objects; the unlogged one is empty after every restore.
    expect(report.equal).toBe(6);
  });

  test("rows that were changed in the live cluster as well are told from rows that only the copy lacks", async () => {
    for (const change of [inCopy, inOriginal]) await change("DELETE FROM counter WHERE id <= 5");
    expect(await compared()).toMatchObject({ equal: 5, changed: 1, faults: [] });
    await inCopy("DELETE FROM counter WHERE id = 6");
    expect((await compared()).faults).toEqual(["original.public.counter has 94 rows of the mark's 100 rows"]);
  });

  test("one value that differs is found, in a value out of line too, and so are a missing table and a missing object", async () => {
    await inCopy("UPDATE item SET name = 'item 8' WHERE id = 7");
    await inCopy("DELETE FROM large WHERE id = 3");
    await inCopy("DROP TABLE odd");
    await inCopy("SELECT lo_unlink(oid) FROM pg_largeobject_metadata");
    const { faults } = await compared();
    for (const says of [
      "original.public.item has 1999 rows of the mark's 2000 rows",
      "original.public.large has 19 rows of the mark's 20 rows",
      "original.public.odd is missing, with the mark's 50 rows",
      "original.pg_catalog.pg_largeobject has 0 rows of the mark's 1 row",
    ])
      expect(faults).toContain(says);
  });

  test("a table that was dropped in the live cluster explains that it is missing", async () => {
    await inOriginal("DROP TABLE odd");
    expect((await compared()).faults.join()).not.toContain("odd");
  });

  test("what stands in the cluster is closed to everybody but the superuser", async () => {
    const [row] = await askAsSuperuser(
      home,
      `SELECT bool_or(has_schema_privilege(r.oid, 'homelab', 'USAGE')) AS open
       FROM pg_roles r WHERE NOT rolsuper AND rolname !~ '^pg_'`,
    );
    expect(row).toEqual({ open: false });
  });

  test("large tables are compared by samples, and what there was no time for is said", async () => {
    const budget = { time: 60_000, bytes: 0, tableBytes: 0 };
    // Five rows a block, 2,400 blocks; a sample has 64 at the beginning, and then every 155th block another 64.
    await inOriginal(
      "CREATE TABLE wide AS SELECT n AS id, repeat('x', 1500) AS filling FROM generate_series(1, 12000) n",
    );
    const summary = await makeMark(site, "op_sampled-mark", { budget });
    expect(summary).toMatchObject({ sampled: 1, unread: 0 });
    await copyAnew();
    await inCopy("DELETE FROM wide WHERE id BETWEEN 401 AND 500");
    expect(await compared("op_sampled-mark")).toMatchObject({ sampled: 1, faults: [] });
    await inCopy("DELETE FROM wide WHERE id = 1");
    expect((await compared("op_sampled-mark")).faults).toEqual([expect.stringContaining("original.public.wide has")]);
    const noTime = await makeMark(site, "op_no-time", { budget: { ...budget, time: -1 } });
    expect(noTime.unread).toBe(noTime.databases);
  });
});

describe("damage", () => {
  /** Writes over the middle of a page of a table's file, with PostgreSQL stopped. */
  async function spoil(path: string, page: number): Promise<void> {
    const file = await open(join(home.paths.postgresData, path), "r+");
    await file.write(Buffer.alloc(64, 0x5a), 0, 64, page * 8192 + 4096);
    await file.close();
  }

  test("F47: a corrupt heap page is named by the backup and by its proof, the backup is bad, and older good ones stay", async () => {
    const good = await newest();
    const [{ path }] = (await askAsSuperuser<{ path: string }>(
      home,
      "SELECT pg_relation_filepath('item') AS path",
      "shop",
    )) as [{ path: string }];
    await home.ok("down");
    await spoil(path, 2);
    // One that counts is enough: were the broken one to count, the good one would go.
    const env = { HOMELAB_DATABASE__BACKUP_RETENTION_FULL: "1" };
    expect((await home.run(["up", ...home.upFlags()], { env })).exitCode).toBe(0);
    await home.ok("db", "backup", "full");
    const broken = await newest();
    expect(broken).toMatchObject({ checked: false, fault: "pages in it do not match their checksums" });

    const begun = Date.now();
    const run = await home.run(["db", "verify", broken.label]);
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain(`${broken.label} is bad: shop.public.item`);
    expect(run.stderr).toContain(`invalid page in block 2 of relation ${path}`);
    console.log(
      `F47: the corrupt page was named by the backup at once, and by its proof after ${(Date.now() - begun) / 1000} s`,
    );
    const listed = await backups();
    expect(listed.find(({ label }) => label === broken.label)!.fault).toContain("invalid page in block 2");
    expect(listed.find(({ label }) => label === good.label)).toMatchObject({ checked: true });
    const [proof] = await proofs();
    expect(proof).toMatchObject({ state: "bad", result: { proven: false, label: broken.label } });
    expect(leftovers()).toEqual([]);
  });

  test("a good backup of a cluster that is damaged now is proven, and the proof says what is damaged", async () => {
    await inShop("DELETE FROM counter WHERE id > 90");
    const to = `${new Date().toISOString().slice(0, 19)}Z`;
    const run = await home.run(["db", "verify", "--to", to]);
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toMatch(
      /is proven, but the running cluster is damaged: shop\.public\.item: invalid page in block 2/,
    );
    const [proof] = await proofs();
    // Rows that the running cluster has lost as well are no rows that the backup lacks.
    expect(proof).toMatchObject({ state: "proven", result: { proven: true, to, faults: [] } });
    expect(proof!.result!.live_faults).toHaveLength(1);
    await inShop("DROP TABLE item");
  });

  test("F48: an index that lacks rows is found by the proof, and named", async () => {
    await inShop("CREATE TABLE ledger (id int); CREATE INDEX ledger_id ON ledger (id)");
    // As a changed collation or a bug leaves it: rows are there that the index does not know.
    const ready = (is: boolean) =>
      inShop(`UPDATE pg_index SET indisready = ${is} WHERE indexrelid = 'ledger_id'::regclass`);
    await ready(false);
    await inShop("INSERT INTO ledger SELECT generate_series(1, 100)");
    await ready(true);
    await home.ok("db", "backup", "incr");
    const { label } = await newest();
    const begun = Date.now();
    const run = await home.run(["db", "verify", label]);
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain("shop.public.ledger_id: heap tuple");
    expect(run.stderr).toContain("lacks matching index tuple");
    expect(run.stderr).toContain("REINDEX INDEX CONCURRENTLY");
    console.log(`F48: the index was named by the proof after ${(Date.now() - begun) / 1000} s`);
    expect((await newest()).fault).toContain("lacks matching index tuple");
  });
});
