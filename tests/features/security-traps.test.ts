import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { settingsSchema } from "../../src/config/settings.ts";
import { run, runAny } from "../../src/host/run.ts";
import { ask, askAsSuperuser, openSiteOf, refusal } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";

/* Traps of the engines that no other test holds; docs/reference/traps.md lists them all by their numbers. */

type Urls = Awaited<ReturnType<TestHome["createDatabase"]>>;

let home: TestHome;
let shop: Urls;
let wiki: Urls;

beforeAll(async () => {
  home = await TestHome.up();
  shop = await home.createDatabase("shop");
  wiki = await home.createDatabase("wiki");
});
afterAll(() => home.destroy());

test("trap 2: a dump without the schema pgbouncer is restored into another database without an error", async () => {
  await ask(shop.connection_url, "CREATE TABLE t (v text); INSERT INTO t VALUES ('kept')");
  const file = join(home.root, "..", "shop.dump");
  await run({
    argv: ["pg_dump", "-Fc", "-N", "pgbouncer", "--no-owner", "--no-privileges", "-f", file, shop.connection_url],
  });
  const restored = await runAny({
    argv: ["pg_restore", "--no-owner", "--exit-on-error", "-d", wiki.connection_url, file],
  });
  expect([restored.exitCode, restored.stderr]).toEqual([0, ""]);
  expect(await ask(wiki.connection_url, "SELECT v FROM t")).toEqual([{ v: "kept" }]);
});

test("trap 3: what made logins fail is forgotten by the pooler within two seconds of its end", async () => {
  await askAsSuperuser(home, "ALTER DATABASE shop CONNECTION LIMIT 0");
  await askAsSuperuser(home, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shop'");
  const client = new Client({ connectionString: shop.pooled_url, connectionTimeoutMillis: 3000 });
  client.on("error", () => {});
  expect(await refusal(client.connect())).not.toBe("nothing was refused");
  await askAsSuperuser(home, "ALTER DATABASE shop CONNECTION LIMIT -1");
  const again = () => ask(shop.pooled_url, "SELECT 1").catch(() => undefined);
  await waitUntil(again, { timeout: 4, what: "the pooler lets the app in again" });
});

test("trap 4: a database that is not there, and a login that is not, end with an error within seconds", async () => {
  const unknown = new URL(shop.pooled_url);
  unknown.pathname = "/nothing";
  const begun = performance.now();
  expect(await refusal(new Client({ connectionString: unknown.toString() }).connect())).not.toBe("nothing was refused");
  const stranger = new URL(shop.pooled_url);
  stranger.username = "nobody";
  expect(await refusal(new Client({ connectionString: stranger.toString() }).connect())).not.toBe(
    "nothing was refused",
  );
  expect((performance.now() - begun) / 1000).toBeLessThan(20);
});

test("trap 9: making a database forces no checkpoint", async () => {
  const requested = async () =>
    (
      await askAsSuperuser<{ n: string }>(
        home,
        `SELECT coalesce((SELECT (to_jsonb(c) ->> 'num_requested') FROM pg_stat_checkpointer c), '') AS n`,
      ).catch(() => askAsSuperuser<{ n: string }>(home, "SELECT checkpoints_req::text AS n FROM pg_stat_bgwriter"))
    )[0]!.n;
  const before = await requested();
  await home.createDatabase("quick");
  expect(await requested()).toBe(before);
});

test("trap 10, 11: crash restarts sync file systems and not files, and a lost etcd is survived", async () => {
  expect(await askAsSuperuser(home, "SHOW recovery_init_sync_method")).toEqual([
    { recovery_init_sync_method: "syncfs" },
  ]);
  const patroni = await home.run(["config", "show", "--json"]);
  expect(patroni.exitCode).toBe(0);
  expect(readFileSync(join(home.paths.etc, "patroni.yml"), "utf8")).toContain("failsafe_mode: true");
});

test("trap 12: a lease shorter than 20 seconds is refused, since newer Patronis would lengthen it silently", () => {
  expect(settingsSchema.safeParse({ patroni: { ttl: 19 } }).success).toBe(false);
  expect(settingsSchema.safeParse({ patroni: { ttl: 20 } }).success).toBe(true);
});

test("trap 14, 15: HAProxy neither fills Patroni's log nor waits a second for each retry", () => {
  expect(readFileSync(join(home.paths.logs, "patroni.log"), "utf8")).not.toContain(
    "Exception happened during processing",
  );
  const text = readFileSync(join(home.paths.etc, "haproxy.cfg"), "utf8");
  expect(text).toMatch(/^ {2}retries 0$/m);
});

test("trap 20: engines are found by absolute paths, and may hold many files open", async () => {
  expect(readFileSync(join(home.paths.etc, "patroni.yml"), "utf8")).toMatch(/bin_dir: \/\S+/);
  const hard = Number((await run({ argv: ["sh", "-c", "ulimit -Hn"] })).stdout) || Infinity;
  for (const service of ["patroni", "pgbouncer", "haproxy"]) {
    const limits = readFileSync(`/proc/${await home.pid(service)}/limits`, "utf8");
    expect(Number(/^Max open files\s+(\d+)/m.exec(limits)![1]), service).toBeGreaterThanOrEqual(Math.min(hard, 10_000));
  }
});

test("libraries 1: a session of ours that breaks ends no process, and the next question opens another one", async () => {
  const site = await openSiteOf(home);
  const sessions = await site.postgres();
  const pid = async () =>
    (await (await sessions.admin()).query<{ pid: number }>("SELECT pg_catalog.pg_backend_pid() AS pid"))[0]!.pid;
  const before = await pid();
  await askAsSuperuser(home, `SELECT pg_terminate_backend(${before})`);
  const after = await waitUntil(() => pid().catch(() => undefined), { timeout: 5, what: "another session" });
  expect(after).not.toBe(before);
  await site.close();
});

test("libraries 2: the platform's own sessions go past the pooler, and keep what they set", async () => {
  const site = await openSiteOf(home);
  const admin = await (await site.postgres()).admin();
  const [own] = await admin.query<{ pid: number }>("SELECT pg_catalog.pg_backend_pid() AS pid");
  const stats = new Client({
    host: "127.0.0.1",
    port: home.port(6432),
    user: "pgbouncer_stats",
    password: await home.secret("pooler_stats"),
    database: "pgbouncer",
  });
  await stats.connect();
  const servers = (await stats.query<{ remote_pid: number }>("SHOW SERVERS")).rows.map((row) => row.remote_pid);
  expect(servers.length).toBeGreaterThan(0);
  expect(servers).not.toContain(own!.pid);
  await stats.end();
  await site.close();
});
