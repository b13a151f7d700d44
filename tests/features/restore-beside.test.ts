import { randomInt } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sleep, waitUntil } from "../../src/core/clock.ts";
import { runAny } from "../../src/host/run.ts";
import { ask, askAsSuperuser, connect, refusal } from "../harness/clients.ts";
import { pidsOf, postmasterPid } from "../harness/engines.ts";
import { TestHome } from "../harness/home.ts";
import { leftOfRestores, mountSmall, removeSegment, schemaOf, segmentFiles } from "../harness/restores.ts";
import { Writer } from "../harness/writer.ts";

/** 20 in the long form; each one is a whole restore. */
const INSTANTS = Number(process.env["HOMELAB_RESTORE_INSTANTS"] ?? 3);
const KILLS = Number(process.env["HOMELAB_RESTORE_KILLS"] ?? 2);

interface Restored {
  id: string;
  result: { database: string; rows: number; tables: number; not_made: unknown[]; as_of: string | null; waits: boolean };
  created_at: string;
  finished_at: string;
}

let home: TestHome;
let shop: Awaited<ReturnType<TestHome["createDatabase"]>>;
let writer: Writer;
/** When the first backup had ended, and the writer had written behind it. */
let begun: number;

const restore = async (...args: string[]): Promise<Restored> =>
  (await home.ok("db", "restore", ...args, "--json")).json<Restored>();
const discard = (name: string) => home.ok("db", "discard", name, "--confirm", name);
const numbers = (url: string) => ask<{ n: number }>(url, "SELECT n FROM written ORDER BY n");

beforeAll(async () => {
  home = await TestHome.up();
  shop = (await home.ok("db", "create", "shop", "--extension", "pg_trgm", "--json")).json();
  await ask(
    shop.connection_url,
    `CREATE SCHEMA stock;
     CREATE TYPE stock.colour AS ENUM ('red', 'green');
     CREATE TABLE stock.item (id serial PRIMARY KEY, name text NOT NULL CHECK (name <> ''), colour stock.colour, made timestamptz DEFAULT now());
     CREATE INDEX item_name ON stock.item USING gin (name gin_trgm_ops);
     CREATE TABLE stock.part (item int REFERENCES stock.item ON DELETE CASCADE, n int) PARTITION BY RANGE (n);
     CREATE TABLE stock.part_low PARTITION OF stock.part FOR VALUES FROM (0) TO (10);
     CREATE FUNCTION stock.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.made := now(); RETURN NEW; END';
     CREATE TRIGGER touch BEFORE UPDATE ON stock.item FOR EACH ROW EXECUTE FUNCTION stock.touch();
     CREATE VIEW stock.names AS SELECT name FROM stock.item;
     ALTER TABLE stock.item ENABLE ROW LEVEL SECURITY;
     CREATE POLICY everything ON stock.item TO shop_ro USING (true);
     GRANT USAGE ON SCHEMA stock TO shop_ro;
     GRANT SELECT (id, name), UPDATE (name) ON stock.item TO shop_ro;
     COMMENT ON TABLE stock.item IS 'what there is';
     INSERT INTO stock.item (name, colour) SELECT 'item ' || n, 'red' FROM generate_series(1, 200) n;
     INSERT INTO stock.part SELECT n, n FROM generate_series(1, 9) n;
     ALTER DATABASE shop SET work_mem = '7MB'`,
  );
  await home.ok("db", "backup", "full");
  writer = await Writer.start(shop.connection_url);
  await sleep(2000);
  begun = Date.now();
});

afterAll(async () => {
  await writer?.stop();
  await home?.destroy();
});

test("F65: a moment in the future, or before the oldest backup, is refused before anything is written, with the range", async () => {
  for (const moment of [new Date(Date.now() + 3_600_000).toISOString(), "2020-02-02 02:02"]) {
    const asked = performance.now();
    const refused = await home.run(["db", "restore", "--to", moment, "--db", "shop"]);
    console.log(`F65: ${moment} refused after ${Math.round(performance.now() - asked)} ms`);
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("cannot be had back") as string });
    expect(refused.stderr).toMatch(/Any second from \S+Z to \S+Z can be had back/);
  }
  for (const [args, code] of [
    [["--db", "shop"], 2],
    [["latest"], 2],
    [["20200101-000000F", "--db", "shop"], 7],
    [["--to", "soon", "--db", "shop"], 2],
    [["latest", "--to", "2026-01-01", "--lsn", "0/1", "--db", "shop"], 2],
    [["latest", "--db", "homelab_jarvis"], 2],
  ] as const)
    expect((await home.run(["db", "restore", ...args])).exitCode, args.join(" ")).toBe(code);
  expect(await leftOfRestores(home)).toEqual([]);
});

test("F73: nothing is restored over a database that is there", async () => {
  const before = await askAsSuperuser(home, "SELECT oid FROM pg_database WHERE datname = 'shop'");
  const refused = await home.run(["db", "restore", "latest", "--db", "shop", "--as", "shop"]);
  expect(refused).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("there is a database shop already") as string,
  });
  expect(await askAsSuperuser(home, "SELECT oid FROM pg_database WHERE datname = 'shop'")).toEqual(before);
});

test(
  `restored to ${INSTANTS} random instants while a writer goes on, each holds exactly the rows committed before it`,
  async () => {
    for (let i = 0; i < INSTANTS; i++) {
      await askAsSuperuser(home, "SELECT pg_switch_wal()");
      await writer.isWriting();
      // The last one is of just now: its WAL is in no archive yet.
      const at = i === INSTANTS - 1 ? Date.now() - 50 : randomInt(begun, Date.now());
      const instant = new Date(at).toISOString();
      const {
        result,
        created_at: asked,
        finished_at: ended,
      } = await restore("--to", instant, "--db", "shop", "--as", `then_${i}`);
      const expected = await askAsSuperuser<{ n: number }>(
        home,
        `SELECT n FROM written WHERE pg_xact_commit_timestamp(xmin) <= '${instant}' ORDER BY n`,
        "shop",
      );
      const found = await askAsSuperuser<{ n: number }>(home, "SELECT n FROM written ORDER BY n", `then_${i}`);
      expect(found.length).toBeGreaterThan(0);
      expect(found).toEqual(expected);
      expect(result).toMatchObject({ database: `then_${i}`, as_of: instant, not_made: [], waits: true });
      console.log(`${instant}: ${found.length} rows, in ${(Date.parse(ended) - Date.parse(asked)) / 1000} s`);
      await discard(`then_${i}`);
    }
    expect(await leftOfRestores(home)).toEqual([]);
  },
  INSTANTS * 60_000,
);

test("what is restored has the owners, grants, policies, settings and extensions that it had, under another name", async () => {
  const { result } = await restore("latest", "--db", "shop", "--as", "again");
  expect(result.rows).toBeGreaterThan(200);
  await ask(shop.connection_url, "SELECT 1");
  // The writer made its table behind the backup; nothing else differs.
  const live = await schemaOf(home, "shop");
  const rows = (await askAsSuperuser(home, "SELECT to_regclass('written') IS NULL AS none", "again"))[0];
  expect(rows).toEqual({ none: true });
  await home.ok("db", "discard", "again", "--confirm", "again");
  await restore("--latest", "--db", "shop", "--as", "again");
  expect(await schemaOf(home, "again")).toBe(live);
  const owners = await askAsSuperuser(
    home,
    "SELECT DISTINCT relowner::regrole::text AS owner FROM pg_class WHERE relnamespace = 'stock'::regnamespace",
    "again",
  );
  expect(owners).toEqual([{ owner: "shop_owner" }]);
});

test("no app gets in before the switch; then the same URL leads to it, and back again, and nothing is lost on the way", async () => {
  const beside = shop.connection_url.replace(/\/shop(\?|$)/, "/again$1");
  expect(await refusal(ask(beside, "SELECT 1"))).toBe("53300");
  expect((await home.run(["db", "delete", "shop", "--confirm", "shop"])).stderr).toContain("discard again");
  expect((await home.run(["db", "rotate", "again"])).stderr).toContain("switch-to again");
  expect((await home.run(["db", "create", "again"])).exitCode).toBe(1);
  await ask(shop.connection_url, "CREATE TABLE only_before_the_switch (n int)");
  const open = await connect(shop.pooled_url);

  await home.ok("db", "switch-to", "again", "--confirm", "again");
  expect(await refusal(open.query("SELECT * FROM only_before_the_switch"))).toBe("42P01");
  await open.end();
  expect((await numbers(shop.pooled_url)).length).toBeGreaterThan(10);
  const { items } = (await home.ok("db", "list-restores", "--json")).json<{
    items: { name: string; state: string; until: string }[];
  }>();
  expect(items).toMatchObject([
    { of: "shop", state: "replaced", name: expect.stringMatching(/^shop_old_\d{14}$/) as string },
  ]);
  expect(Date.parse(items[0]!.until) - Date.now()).toBeGreaterThan(71 * 3_600_000);
  const kept = items[0]!.name;
  expect(await refusal(askAsSuperuser(home, "SELECT 1", kept))).toBe("55000");
  await ask(shop.connection_url, "CREATE TABLE only_after_the_switch (n int)");
  await writer.isWriting();

  await home.ok("db", "switch-back", "shop", "--confirm", "shop");
  await ask(shop.pooled_url, "SELECT * FROM only_before_the_switch");
  expect(await refusal(ask(shop.pooled_url, "SELECT * FROM only_after_the_switch"))).toBe("42P01");
  expect(await askAsSuperuser(home, "SELECT * FROM only_after_the_switch", "again")).toEqual([]);
  expect(await home.createDatabase("shop")).toMatchObject({ password: shop.password });
  await discard("again");
  expect(
    await askAsSuperuser(home, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'again%' OR rolname LIKE 'shop_old%'"),
  ).toEqual([]);
  expect((await home.run(["db", "discard", "shop", "--confirm", "shop"])).exitCode).toBe(4);
});

test("up to a transaction, a position and a restore point: what was committed by then is there, and nothing later", async () => {
  const { connection_url: url } = await home.createDatabase("marks");
  await ask(url, "CREATE TABLE mark (n int)");
  const { label } = (await home.ok("db", "backup", "incr", "--json")).json<{
    result: { backups: { label: string }[] };
  }>().result.backups[0]!;
  const [row] = await ask<{ xid: string }>(
    url,
    "WITH put AS (INSERT INTO mark VALUES (1) RETURNING n) SELECT pg_current_xact_id()::xid::text AS xid FROM put",
  );
  await ask(url, "INSERT INTO mark VALUES (2)");
  const [at] = await askAsSuperuser<{ lsn: string }>(home, "SELECT pg_current_wal_insert_lsn()::text AS lsn");
  await ask(url, "INSERT INTO mark VALUES (3)");
  await askAsSuperuser(home, "SELECT pg_create_restore_point('before the change')");
  await ask(url, "INSERT INTO mark VALUES (4)");
  for (const [target, expected] of [
    [["--xid", row!.xid], [1]],
    [
      ["--lsn", at!.lsn],
      [1, 2],
    ],
    [
      ["--name", "before the change"],
      [1, 2, 3],
    ],
  ] as const) {
    await restore(label, ...target, "--db", "marks", "--as", "marked");
    const rows = await askAsSuperuser<{ n: number }>(home, "SELECT n FROM mark ORDER BY n", "marked");
    expect(
      rows.map(({ n }) => n),
      target.join(" "),
    ).toEqual(expected);
    await discard("marked");
  }
});

test("a single table comes back alone", async () => {
  const { result } = await restore("--latest", "--db", "shop", "--as", "piece", "--table", "written");
  expect(result).toMatchObject({ tables: 1, not_made: [] });
  const tables = await askAsSuperuser(
    home,
    "SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname !~ '^(pg_|information)'",
    "piece",
  );
  expect(tables).toEqual([{ name: "public.written" }]);
  await discard("piece");
  const unknown = await home.run(["db", "restore", "latest", "--db", "shop", "--as", "piece", "--table", "stok.item"]);
  expect(unknown).toMatchObject({ exitCode: 7, stderr: expect.stringContaining("no table stok.item") as string });
  expect(await leftOfRestores(home)).toEqual([]);
});

test("what a tenant wrote into its database never runs as the superuser while it is restored", async () => {
  const { connection_url: url } = await home.createDatabase("hostile");
  await ask(
    url,
    `CREATE FUNCTION rise() RETURNS bool LANGUAGE plpgsql AS $$
       BEGIN
         EXECUTE 'RESET ROLE'; EXECUTE 'RESET SESSION AUTHORIZATION'; EXECUTE 'ALTER ROLE hostile_app SUPERUSER'; RETURN true;
       EXCEPTION WHEN OTHERS THEN RETURN true; END $$;
     CREATE TABLE planted (n int CHECK (rise()));
     INSERT INTO planted VALUES (1)`,
  );
  await restore("--latest", "--db", "hostile", "--as", "hostile_then");
  expect(await askAsSuperuser(home, "SELECT n FROM planted", "hostile_then")).toEqual([{ n: 1 }]);
  expect(await askAsSuperuser(home, "SELECT rolname FROM pg_roles WHERE rolsuper")).toEqual([{ rolname: "postgres" }]);
  await discard("hostile_then");
});

test("a database that somebody dropped by hand comes back under its own URL; one whose roles are gone too, with new ones", async () => {
  const lost = await home.createDatabase("lost");
  await ask(lost.connection_url, "CREATE TABLE kept AS SELECT generate_series(1, 100) AS n");
  const instant = new Date().toISOString();
  await sleep(20);
  await askAsSuperuser(home, "DROP DATABASE lost WITH (FORCE)");
  await restore("--to", instant, "--db", "lost", "--as", "lost_then");
  await home.ok("db", "switch-to", "lost_then", "--confirm", "lost_then");
  expect(await ask(lost.pooled_url, "SELECT count(*)::int AS n FROM kept")).toEqual([{ n: 100 }]);

  await askAsSuperuser(home, "DROP DATABASE lost WITH (FORCE)");
  await askAsSuperuser(home, "DROP ROLE lost_app, lost_ro, lost_owner");
  const { result } = await restore("--to", instant, "--db", "lost", "--as", "found");
  expect(result.waits).toBe(false);
  const url = (await home.ok("db", "url", "found")).stdout.trim();
  expect(await ask(url, "SELECT count(*)::int AS n, current_user::text AS who FROM kept")).toEqual([
    { n: 100, who: "found_owner" },
  ]);
  const reader = (await home.ok("db", "url", "found", "--direct", "--read-only")).stdout.trim();
  expect(await ask(reader, "SELECT count(*)::int AS n FROM kept")).toEqual([{ n: 100 }]);
  const missing = await home.run(["db", "restore", "--latest", "--db", "lost", "--as", "found_again"]);
  expect(missing).toMatchObject({
    exitCode: 7,
    stderr: expect.stringContaining("there was no database lost then") as string,
  });
});

test("F67: what does not fit is refused before anything is written", async (context) => {
  const mounted = await mountSmall(home.paths.scratch);
  if (!mounted) return context.skip();
  try {
    const refused = await home.run(["db", "restore", "latest", "--db", "shop", "--as", "too_large"]);
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("Nothing was written") as string });
    expect(await leftOfRestores(home)).toEqual([]);
  } finally {
    await runAny({ argv: ["umount", home.paths.scratch] });
  }
});

test(
  `F68: killed with all that it started at ${KILLS} random moments, a restore ends whole or is taken back, and apps see nothing of it`,
  async () => {
    // What the writer of before wrote between the switch and the way back is in the other database.
    await writer.stop();
    writer = await Writer.start(shop.connection_url);
    const postmaster = await postmasterPid(home.root);
    for (let i = 0; i < KILLS; i++) {
      // It is left to the hub: the command ends with 8.
      await home.run(["db", "restore", "--latest", "--db", "shop", "--as", `killed_${i}`, "--no-wait"]);
      await sleep(randomInt(200, 4000));
      process.kill((await home.pid("hub"))!, "SIGKILL");
      for (const pid of pidsOf(home.paths.scratch)) process.kill(pid, "SIGKILL");
      const { items } = await waitUntil(
        async () => {
          const listed = await home.run(["op", "list", "--json"]);
          const parsed =
            listed.exitCode === 0 ? listed.json<{ items: { operation: string; state: string }[] }>() : undefined;
          return parsed && parsed.items.every(({ state }) => state !== "running") ? parsed : undefined;
        },
        { timeout: 120, every: 300, what: "no operation is under way" },
      );
      const [last] = items.filter(({ operation }) => operation === "database.restore");
      console.log(`F68: round ${i}: ${last!.state}`);
      if (last!.state !== "completed") await restore("--latest", "--db", "shop", "--as", `killed_${i}`);
      expect(
        (await askAsSuperuser(home, "SELECT count(*)::int AS n FROM written", `killed_${i}`))[0]!["n"],
      ).toBeGreaterThan(10);
      await discard(`killed_${i}`);
      expect(await leftOfRestores(home)).toEqual([]);
    }
    expect(await postmasterPid(home.root)).toBe(postmaster);
    expect(writer.errors).toEqual([]);
    expect(await writer.ledger()).toMatchObject({ lost: [], unexpected: [] });
  },
  KILLS * 120_000,
);

test("F61: a restore across a gap in the log is refused with what is missing, and one to a moment before it is not", async () => {
  await home.ok("db", "backup", "full");
  await writer.isWriting();
  // Backups count from the second after their end.
  await sleep(1100);
  const before = new Date().toISOString();
  // A segment counts from the beginning of the second in which it arrived.
  await sleep(1100);
  await archiveSegment();
  await writer.isWriting();
  const missing = await archiveSegment();
  await sleep(1100);
  const after = new Date().toISOString();
  await writer.isWriting();
  await archiveSegment();
  await removeSegment(home, missing);
  for (const target of [["--to", after], ["--latest"]]) {
    const refused = await home.run(["db", "restore", ...target, "--db", "shop", "--as", "across"]);
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(missing) as string });
    expect(refused.stderr).toContain("can be had back");
  }
  await restore("--to", before, "--db", "shop", "--as", "before_it");
  await discard("before_it");
  expect(await leftOfRestores(home)).toEqual([]);
});

/** Ends a segment of the log, and answers its name once it is in the repository. */
async function archiveSegment(): Promise<string> {
  const [row] = await askAsSuperuser<{ name: string }>(home, "SELECT pg_walfile_name(pg_switch_wal()) AS name");
  const { name } = row!;
  await waitUntil(async () => (await segmentFiles(home, name)).length > 0, {
    timeout: 60,
    what: `${name} is archived`,
  });
  return name;
}
