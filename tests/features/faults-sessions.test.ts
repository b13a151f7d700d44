import { afterAll, beforeAll, expect, test } from "vitest";
import { sleep } from "../../src/core/clock.ts";
import { ask, askAsSuperuser, connect, connectAsSuperuser } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";

let home: TestHome;

beforeAll(async () => {
  home = await TestHome.up();
});
afterAll(() => home.destroy());

const STATE = `SELECT current_setting('lock_timeout') AS lock_timeout, current_setting('search_path') AS path,
  current_user::text AS who, to_regclass('pg_temp.left_behind')::text AS temporary,
  (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks`;

/** Leaves all that a session can leave in a pooled server connection: the app is not careful. */
async function leaveState(url: string): Promise<void> {
  const client = await connect(url);
  await client.query("SET lock_timeout = '1234ms'");
  await client.query("SET search_path = 'planted'");
  await client.query("CREATE TEMP TABLE left_behind (id int)");
  await client.query("SELECT pg_advisory_lock(pg_backend_pid())");
  await client.query("SET ROLE NONE");
  await client.end();
}

test("F95: nothing of a session leaks to another role, not even to the reader of the same database", async () => {
  const shop = await home.createDatabase("shop");
  const blog = await home.createDatabase("blog");
  const reader = (await home.ok("db", "url", "shop", "--pooled", "--read-only")).stdout.trim();
  // The reader on the app's own port, too: pools are kept by user, not by port.
  const sameReader = new URL(reader);
  sameReader.port = new URL(shop.pooled_url).port;
  const urls = [blog.pooled_url, reader, sameReader.href, shop.connection_url];
  const before = await Promise.all(urls.map((url) => ask(url, STATE)));
  await leaveState(shop.pooled_url);
  for (const [i, url] of urls.entries()) expect(await ask(url, STATE), url).toEqual(before[i]);
});

test("F95: within one role, transaction pooling hands a session's state on, and the direct URL does not: as documented", async () => {
  const { pooled_url: pooled, connection_url: direct } = await home.createDatabase("careless");
  await leaveState(pooled);
  // The same server connection again: it was the only one.
  const [next] = await ask(pooled, STATE);
  expect(next).toMatchObject({ lock_timeout: "1234ms", temporary: expect.stringContaining("left_behind"), locks: 1 });
  expect(next!["who"]).toBe("careless_app");
  await leaveState(direct);
  expect(await ask(direct, STATE)).toEqual([
    { lock_timeout: "0", path: '"$user", public', who: "careless_owner", temporary: null, locks: 0 },
  ]);
  // SET LOCAL is the way that works with a pool.
  const client = await connect(pooled);
  await client.query("BEGIN");
  await client.query("SET LOCAL lock_timeout = '77ms'");
  await client.query("COMMIT");
  expect((await client.query(STATE)).rows[0].lock_timeout).not.toBe("77ms");
  await client.end();
});

test("F96: a session that sits idle in its transaction is ended by its timeout, and its locks go with it", async () => {
  const { pooled_url: pooled, connection_url: direct } = await home.createDatabase("hog");
  await ask(direct, "CREATE TABLE wanted (id int)");
  await askAsSuperuser(home, "ALTER ROLE hog_app SET idle_in_transaction_session_timeout = '1s'");
  for (const url of [direct, pooled]) {
    await askAsSuperuser(
      home,
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hog_app' AND state = 'idle'",
    );
    const hog = await connect(url);
    await hog.query("BEGIN");
    await hog.query("LOCK TABLE wanted");
    const begun = performance.now();
    await ask(direct, "INSERT INTO wanted VALUES (1)");
    console.log(
      `stall: a lock of a session idle in its transaction held ${((performance.now() - begun) / 1000).toFixed(1)} s`,
    );
    expect(performance.now() - begun).toBeLessThan(60_000);
    await expect(hog.query("COMMIT")).rejects.toThrow();
    await hog.end().catch(() => {});
  }
});

test("F96: a job of the platform that meets a held lock gives up with a reason, changes nothing, and works afterwards", async () => {
  await home.createDatabase("locked");
  const holder = await connectAsSuperuser(home);
  await holder.query("BEGIN");
  await holder.query("ALTER ROLE locked_app CONNECTION LIMIT 9");
  const begun = performance.now();
  const refused = await home.run(["db", "create", "locked", "--connection-limit", "8"]);
  console.log(
    `stall: a job of the platform waited ${((performance.now() - begun) / 1000).toFixed(1)} s for a held lock`,
  );
  expect(refused.exitCode, refused.stderr).toBe(1);
  expect(refused.stderr).toContain("lock timeout");
  expect(performance.now() - begun).toBeLessThan(60_000);
  await holder.query("ROLLBACK");
  await holder.end();
  const limit = () => askAsSuperuser(home, "SELECT rolconnlimit AS n FROM pg_roles WHERE rolname = 'locked_app'");
  expect(await limit()).toEqual([{ n: 100 }]);
  await home.ok("db", "create", "locked", "--connection-limit", "8");
  expect(await limit()).toEqual([{ n: 8 }]);
});

test("F96: a tenant that holds every lock in its database does not hold up others, nor its own deletion", async () => {
  const { connection_url: url } = await home.createDatabase("selfish");
  await ask(url, "CREATE TABLE mine (id int)");
  const client = await connect(url);
  await client.query("BEGIN");
  await client.query("LOCK TABLE mine");
  await client.query("SELECT * FROM pg_class LIMIT 1");
  const other = await home.createDatabase("neighbour");
  expect(await ask(other.pooled_url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  expect((await home.run(["health"])).exitCode).toBe(0);
  await sleep(100);
  await home.ok("db", "delete", "selfish", "--confirm", "selfish");
  await client.end().catch(() => {});
});
