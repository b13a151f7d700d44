import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Client, type ClientConfig } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, askAsSuperuser, connect, connectAsSuperuser, refusal } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";

type Urls = Awaited<ReturnType<TestHome["createDatabase"]>>;

let home: TestHome;
let shop: Urls;
let wiki: Urls;
/** The passwords of the platform's own roles. */
let secret: Record<string, string>;

beforeAll(async () => {
  home = await TestHome.up();
  shop = await home.createDatabase("shop");
  wiki = await home.createDatabase("wiki");
  secret = JSON.parse(readFileSync(home.paths.secrets, "utf8")) as Record<string, string>;
});
afterAll(() => home.destroy());

const NOBODY = "nothing was refused";

/** Logs in and answers what refused it, with its SQLSTATE where there is one. */
async function login(config: ClientConfig & { replication?: string }): Promise<string> {
  const client = new Client({ database: "shop", connectionTimeoutMillis: 20_000, ...config });
  client.on("error", () => {});
  return refusal(client.connect()).finally(() => void client.end().catch(() => {}));
}

const socket = () => ({ host: home.paths.run, port: home.port(5431) });
const tcp = () => ({
  host: "127.0.0.1",
  port: home.port(5431),
  ssl: { ca: readFileSync(home.paths.caCertificate, "utf8") },
});
const direct = () => ({ ...tcp(), port: home.port(5432) });
const pooled = () => ({ host: "127.0.0.1", port: home.port(6432) });

interface HbaRow {
  type: string;
  database: string[];
  user_name: string[];
  address: string | null;
  auth_method: string;
  error: string | null;
}

describe("S41", () => {
  let rules: HbaRow[];
  beforeAll(async () => {
    rules = await askAsSuperuser<HbaRow & Record<string, unknown>>(
      home,
      "SELECT * FROM pg_hba_file_rules ORDER BY line_number",
    );
  });

  test("S41: every line of the live pg_hba.conf is SCRAM or a refusal, and over TCP it takes TLS", () => {
    expect(rules.length).toBeGreaterThan(3);
    expect(rules.filter((rule) => rule.error !== null)).toEqual([]);
    expect(new Set(rules.map((rule) => rule.auth_method))).toEqual(new Set(["scram-sha-256", "reject"]));
    const open = rules.filter(
      (rule) => rule.type !== "local" && rule.type !== "hostssl" && rule.auth_method !== "reject",
    );
    expect(open).toEqual([]);
  });

  test("S41: over TCP the first line for the superuser, for replication and for rewind is a refusal", () => {
    const remote = rules.filter((rule) => rule.type !== "local");
    for (const user of ["postgres", "replicator", "rewind"]) {
      const first = remote.find((rule) => rule.user_name.includes(user) || rule.user_name.includes("all"));
      expect([user, first?.auth_method, first?.address]).toEqual([user, "reject", "all"]);
    }
    // One node has no other to copy from: a line for it would let in whoever comes through HAProxy.
    expect(rules.filter((rule) => rule.database.includes("replication")).map((rule) => rule.type)).toEqual(["local"]);
  });

  test("S41: a wrong password is refused, over TCP and over the socket, to the superuser and to an app", async () => {
    for (const way of [socket(), tcp(), direct()])
      for (const user of ["postgres", "shop_app", "shop_ro", "homelab_monitor", "pgbouncer_auth", "jarvis"]) {
        const code = await login({ ...way, user, password: "wrong", database: "postgres" });
        expect([user, ["28P01", "28000"].includes(code)], `${way.host} ${code}`).toEqual([user, true]);
      }
    expect(await login({ ...pooled(), user: "shop_app", password: "wrong" })).not.toBe(NOBODY);
    expect(await login({ ...socket(), user: "shop_app", password: "" })).not.toBe(NOBODY);
  });

  test("S41: with the right password, the superuser, replication and rewind come in over no TCP port", async () => {
    const attempts: [string, string, string?][] = [
      ["postgres", secret["superuser"]!],
      ["rewind", secret["rewind"]!],
      ["replicator", secret["replication"]!],
      ["replicator", secret["replication"]!, "true"],
    ];
    for (const [user, password, replication] of attempts)
      for (const way of [tcp(), direct()]) {
        const code = await login({
          ...way,
          user,
          password,
          database: "postgres",
          ...(replication ? { replication } : {}),
        });
        expect([user, code]).toEqual([user, "28000"]);
      }
    expect(await login({ ...socket(), user: "postgres", password: secret["superuser"]! })).toBe(NOBODY);
  });

  test("S41: plain text is refused on the direct ports, and TLS with the right password is not", async () => {
    for (const port of [5431, 5432, 5433]) {
      const app = { host: "127.0.0.1", port: home.port(port), user: shop.user, password: shop.password };
      expect(await login(app)).toBe("28000");
      expect(await login({ ...app, ssl: tcp().ssl })).toBe(NOBODY);
    }
  });

  test("S41: the pooler's own rules are SCRAM throughout, and TLS for whoever is not this machine", () => {
    const lines = readFileSync(join(home.paths.etc, "pgbouncer_hba.conf"), "utf8")
      .split("\n")
      .filter((line) => line && !line.startsWith("#"))
      .map((line) => line.split(/\s+/));
    expect(new Set(lines.map((words) => words.at(-1)))).toEqual(new Set(["scram-sha-256"]));
    const plain = lines.filter(([type]) => type === "host").map((words) => words[3]);
    expect(plain).toEqual(["127.0.0.0/8", "::1/128"]);
  });
});

describe("S43", () => {
  test("S43: a login whose time is up is refused by the pooler, and let in again with a new time", async () => {
    const app = { ...pooled(), user: shop.user, password: shop.password };
    expect(await login(app)).toBe(NOBODY);
    await askAsSuperuser(home, "ALTER ROLE shop_app VALID UNTIL '2001-01-01'");
    expect(await login(app)).not.toBe(NOBODY);
    expect(await login({ ...direct(), user: shop.user, password: shop.password })).toBe("28P01");
    await askAsSuperuser(home, "ALTER ROLE shop_app VALID UNTIL 'infinity'");
    expect(await login(app)).toBe(NOBODY);
  });

  test("S43: a login that was closed, or whose password was taken, is refused by the pooler", async () => {
    await askAsSuperuser(home, "ALTER ROLE wiki_ro NOLOGIN");
    const credentials = JSON.parse(readFileSync(join(home.paths.credentials, "wiki.json"), "utf8")) as {
      read_only: { user: string; password: string };
    };
    expect(await login({ ...pooled(), database: "wiki", ...credentials.read_only })).not.toBe(NOBODY);
    await askAsSuperuser(home, "ALTER ROLE wiki_ro LOGIN");
  });

  test("S43: the superuser, replication and rewind come in through no pooler, with the right password", async () => {
    const attempts = [
      ["postgres", secret["superuser"]!],
      ["replicator", secret["replication"]!],
      ["rewind", secret["rewind"]!],
    ] as const;
    for (const [user, password] of attempts)
      for (const port of [6432, 6433])
        for (const database of ["postgres", "shop"])
          expect(await login({ host: "127.0.0.1", port: home.port(port), user, password, database }), user).not.toBe(
            NOBODY,
          );
  });

  test("S43: over TCP nobody reaches the pooler's console but the role that only looks", async () => {
    const attempts: [string, string][] = [
      [shop.user, shop.password],
      ["pgbouncer", ""],
      ["pgbouncer", secret["pooler_auth"]!],
      ["postgres", secret["superuser"]!],
      ["homelab_monitor", secret["monitor"]!],
      ["pgbouncer_auth", secret["pooler_auth"]!],
      ["jarvis", secret["jarvis_db"]!],
      ["pgbouncer_stats", "wrong"],
    ];
    for (const [user, password] of attempts)
      for (const way of [pooled(), { host: home.paths.run, port: home.port(6432) }])
        expect(await login({ ...way, user, password, database: "pgbouncer" }), user).not.toBe(NOBODY);
    const stats = new Client({
      ...pooled(),
      user: "pgbouncer_stats",
      password: secret["pooler_stats"]!,
      database: "pgbouncer",
    });
    await stats.connect();
    expect((await stats.query("SHOW POOLS")).rows.length).toBeGreaterThan(0);
    for (const command of [
      "PAUSE",
      "RESUME",
      "RELOAD",
      "SUSPEND",
      "SHUTDOWN",
      "KILL shop",
      "DISABLE shop",
      "RECONNECT",
      "SET verbose = 3",
      "SHOW FDS",
    ])
      expect(await refusal(stats.query(command)), command).not.toBe(NOBODY);
    await stats.end();
    expect(await login({ ...pooled(), user: shop.user, password: shop.password })).toBe(NOBODY);
  });

  test("S43: passwords are looked up by a SECURITY DEFINER function that the pooler's role alone may call", async () => {
    const databases = await askAsSuperuser<{ name: string }>(
      home,
      "SELECT datname AS name FROM pg_database WHERE datallowconn AND datname <> 'template1'",
    );
    for (const { name } of databases) {
      const rows = await askAsSuperuser(
        home,
        `SELECT p.prosecdef, p.proowner::regrole::text AS owner, n.nspowner::regrole::text AS schema_owner, p.proacl::text AS acl
         FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'pgbouncer'`,
        name,
      );
      const [lookup] = rows;
      // With auth_dbname (PgBouncer 1.19) it is in the database postgres alone.
      if (!lookup && name !== "postgres") continue;
      expect(rows, name).toEqual([
        {
          prosecdef: true,
          owner: "postgres",
          schema_owner: "postgres",
          acl: "{postgres=X/postgres,pgbouncer_auth=X/postgres}",
        },
      ]);
    }
    expect(await refusal(ask(shop.connection_url, "SELECT * FROM pgbouncer.user_lookup('wiki_app')"))).toBe("42501");
  });

  test("S43: the pooler's role sees the verifiers of logins, no other's, and can do nothing else", async () => {
    const client = new Client({
      ...socket(),
      database: "postgres",
      user: "pgbouncer_auth",
      password: secret["pooler_auth"]!,
    });
    await client.connect();
    const lookup = async (name: string) =>
      (await client.query<{ phash: string | null }>("SELECT phash FROM pgbouncer.user_lookup($1)", [name])).rows[0]
        ?.phash ?? null;
    expect(await lookup("shop_app")).toMatch(/^SCRAM-SHA-256\$/);
    for (const name of ["postgres", "replicator", "rewind", "shop_owner", "pg_monitor", "shop_app' OR true --"])
      expect(await lookup(name), name).toBeNull();
    for (const statement of [
      "SELECT * FROM pg_authid",
      "SELECT pg_read_file('PG_VERSION')",
      "CREATE TABLE public.x ()",
      "CREATE TEMP TABLE x ()",
      "SET ROLE shop_owner",
    ])
      expect(await refusal(client.query(statement)), statement).toBe("42501");
    await client.end();
  });

  test("S43: each login has a pool of its own, so that nothing of a session reaches another tenant", async () => {
    const [a, b] = [await connect(shop.pooled_url), await connect(wiki.pooled_url)];
    await a.query("SET search_path = 'leaked'");
    await a.query("SET statement_timeout = '7min'");
    const { rows } = await b.query(
      "SELECT current_database() AS database, session_user::text AS login, current_setting('search_path') AS path, current_setting('statement_timeout') AS timeout",
    );
    expect(rows).toEqual([{ database: "wiki", login: "wiki_app", path: '"$user", public', timeout: "5min" }]);
    const stats = new Client({
      ...pooled(),
      user: "pgbouncer_stats",
      password: secret["pooler_stats"]!,
      database: "pgbouncer",
    });
    await stats.connect();
    const pools = (await stats.query<{ database: string; user: string }>("SHOW POOLS")).rows.map(
      ({ database, user }) => `${database} ${user}`,
    );
    expect(pools).toEqual(expect.arrayContaining(["shop shop_app", "wiki wiki_app"]));
    expect(pools.filter((pool) => /^shop wiki|^wiki shop/.test(pool))).toEqual([]);
    await Promise.all([a.end(), b.end(), stats.end()]);
  });

  test("S43: a lookup that the owner of a foreign database planted is replaced by ours", async () => {
    const admin = await connectAsSuperuser(home);
    await admin.query("CREATE ROLE stranger LOGIN PASSWORD 'known'");
    await admin.query("CREATE DATABASE foreign_db OWNER stranger TEMPLATE template0");
    await admin.query("REVOKE ALL ON DATABASE foreign_db FROM PUBLIC");
    await admin.end();
    const stranger = new Client({ ...socket(), database: "foreign_db", user: "stranger", password: "known" });
    await stranger.connect();
    await stranger.query(`CREATE SCHEMA pgbouncer; GRANT USAGE ON SCHEMA pgbouncer TO PUBLIC;
      CREATE FUNCTION pgbouncer.user_lookup(text) RETURNS TABLE (uname text, phash text) LANGUAGE sql
        AS $$ SELECT $1, 'md5aa' $$`);
    await stranger.end();
    await home.ok("up");
    const [planted] = await askAsSuperuser(
      home,
      "SELECT p.proowner::regrole::text AS owner, p.prosecdef FROM pg_proc p WHERE p.proname = 'user_lookup'",
      "foreign_db",
    );
    const [schema] = await askAsSuperuser(
      home,
      "SELECT nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname = 'pgbouncer'",
      "foreign_db",
    );
    const usesIt = (
      await askAsSuperuser(home, "SELECT has_database_privilege('pgbouncer_auth', 'foreign_db', 'CONNECT') AS yes")
    )[0]!["yes"];
    if (usesIt) expect([planted, schema]).toEqual([{ owner: "postgres", prosecdef: true }, { owner: "postgres" }]);
    expect(await login({ ...pooled(), database: "foreign_db", user: "stranger", password: "known" })).toBe(NOBODY);
  });
});

test("S14: guesses at the pooler find nothing, lock nobody out, and are in its log; what they guess at has 128 bits and more", async () => {
  const log = () => readFileSync(join(home.paths.logs, "pgbouncer.log"), "utf8");
  const before = log().length;
  const guess = (i: number) => login({ ...pooled(), user: shop.user, password: `guess-${i}` });
  const guesses = Array.from({ length: 200 }, (_, i) => i);
  const refusals: string[] = [];
  // PgBouncer counts no tries; it is asked forty at a time, with the owner in between.
  for (let i = 0; i < guesses.length; i += 40) {
    refusals.push(...(await Promise.all(guesses.slice(i, i + 40).map(guess))));
    expect(await ask(shop.pooled_url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  }
  expect(new Set(refusals)).toEqual(new Set(["08P01"]));
  expect(log().slice(before)).toMatch(/shop_app.*(SASL authentication failed|password authentication failed)/);
  // The alphabet that it is drawn from has 56 characters (core/password.ts).
  expect(shop.password).toMatch(/^[A-Za-z2-9]{32}$/);
  expect(shop.password.length * Math.log2(56)).toBeGreaterThan(128);
});
