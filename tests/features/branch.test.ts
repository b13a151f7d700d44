import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, askAsSuperuser, connect } from "../harness/clients.ts";
import { databaseIsThere, DIGEST, leavesNothing, makeShop, urlOf } from "../harness/dump-shop.ts";
import { TestHome } from "../harness/home.ts";

let home: TestHome;
let folder: string;
let shop: Awaited<ReturnType<TestHome["createDatabase"]>>;

const file = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hl-branch-"));
  home = await TestHome.up();
  shop = await makeShop(home);
});
afterAll(async () => {
  await home?.destroy();
  rmSync(folder, { recursive: true, force: true });
});

describe("a branch", () => {
  const RULES = `
person:
  email: email
  full_name: name
  phone: null
  token: hash
  city: { expression: "upper(left(city, 1))" }
orders:
  buyer_email: email
crm.contact:
  address: { text: gone }
`;

  test("is the same database with roles of its own, and nobody's session ends for it", async () => {
    const app = await connect(shop.connection_url);
    const made = await home.run(["db", "branch", "shop", "trial"]);
    expect(made.exitCode, made.stderr).toBe(0);
    expect(made.stderr).toContain("not masked, though it looks personal: ");
    await app.query("SELECT 1");
    await app.end();
    const url = await urlOf(home, "trial");
    expect(new URL(url).username).toBe("trial_app");
    expect(await ask(url, DIGEST)).toEqual(await ask(shop.connection_url, DIGEST));
    await ask(url, "DELETE FROM orders");
    expect(await ask(shop.connection_url, "SELECT count(*)::int AS n FROM orders")).toEqual([{ n: 500 }]);
    await leavesNothing(home);
  });

  test("with rules has nothing of what they are about, in no table, history, view or file", async () => {
    writeFileSync(file("rules.yaml"), RULES);
    const plan = await home.run(["db", "branch", "shop", "masked", "--mask", file("rules.yaml"), "--dry-run"]);
    expect(plan.stdout).toContain("mask 7 columns. NOT masked, though their names look personal: ");
    expect(plan.stdout).toContain("history.old_email");
    const made = await home.run(["db", "branch", "shop", "masked", "--mask", file("rules.yaml")]);
    expect(made.exitCode, made.stderr).toBe(0);
    expect(made.stderr).toContain("masked public.person (email, full_name, phone, token, city) in 500 rows");
    const url = await urlOf(home, "masked");
    const [facts] = await ask(
      url,
      `SELECT count(*) FILTER (WHERE email LIKE 'user-%@example.invalid')::int AS emails, count(DISTINCT email)::int AS kinds,
              count(*) FILTER (WHERE full_name ~ 'Real|Person')::int AS names, count(phone)::int AS phones,
              string_agg(DISTINCT city, '') AS city, (SELECT count(*)::int FROM history) AS history,
              (SELECT count(*)::int FROM addresses WHERE email LIKE '%real%') AS view,
              (SELECT count(*)::int FROM orders o JOIN person p ON p.id = o.person AND p.email = o.buyer_email) AS joins,
              (SELECT address FROM crm.contact) AS address
       FROM person`,
    );
    expect(facts).toEqual({
      ...{ emails: 500, kinds: 500, names: 0, phones: 0, city: "B", history: 0, view: 0, joins: 500, address: "gone" },
    });
    const tokens = await Promise.all(
      [url, shop.connection_url].map((each) => ask(each, "SELECT token::text FROM person ORDER BY id LIMIT 5")),
    );
    expect(tokens[0]).not.toEqual(tokens[1]);
    expect(await ask(url, "SELECT tgenabled FROM pg_trigger WHERE tgname = 'keep'")).toEqual([{ tgenabled: "O" }]);
    const stats = await askAsSuperuser(
      home,
      "SELECT count(*)::int AS n FROM pg_stats WHERE most_common_vals::text LIKE '%real.example%' OR histogram_bounds::text LIKE '%real.example%'",
      "masked",
    );
    expect(stats).toEqual([{ n: 0 }]);
    // Not only out of sight: the files of the tables were written anew.
    await askAsSuperuser(home, "CHECKPOINT");
    const paths = await askAsSuperuser<{ path: string }>(
      home,
      "SELECT pg_relation_filepath(c.oid) AS path FROM pg_class c WHERE relname IN ('person', 'orders', 'addresses', 'history', 'person_email_key')",
      "masked",
    );
    for (const { path } of paths)
      expect(readFileSync(join(home.paths.postgresData, path)).includes("real.example"), path).toBe(false);
    expect(
      await ask(shop.connection_url, "SELECT count(*)::int AS n FROM person WHERE email LIKE '%@real.example'"),
    ).toEqual([{ n: 500 }]);
    await leavesNothing(home);
  });

  test.each([
    ["a column that is not there", "person: { nothere: null }", "person has no column nothere"],
    ["a table that is not there", "nobody: { email: email }", "there is no table nobody"],
    ["what must not be null", "person: { email: null }", "person.email must not be null"],
    ["no rule at all", "person: { email: scramble }", "mask.person.email"],
  ])("with a rule for %s is refused before anything is made", async (_what, rules, says) => {
    writeFileSync(file("bad.yaml"), rules);
    const refused = await home.run(["db", "branch", "shop", "refused", "--mask", file("bad.yaml")]);
    expect(refused.exitCode, refused.stderr).toBe(2);
    expect(refused.stderr).toContain(says);
    expect(await databaseIsThere(home, "refused")).toBe(false);
    await leavesNothing(home);
  });

  test("whose expression would do more than one thing, or more than the owner may, fails, and leaves no database", async () => {
    for (const expression of ["''; DROP TABLE item; --", "city); DROP TABLE item; --", "pg_read_file('/etc/passwd')"]) {
      writeFileSync(file("evil.yaml"), JSON.stringify({ person: { city: { expression } } }));
      const failed = await home.run(["db", "branch", "shop", "evil", "--mask", file("evil.yaml")]);
      expect(failed.exitCode, `${expression}: ${failed.stderr}`).toBe(1);
      expect(await databaseIsThere(home, "evil")).toBe(false);
    }
    await leavesNothing(home);
  });

  test("of then is the database as it was at that moment, while the present one goes on", async () => {
    await home.ok("db", "backup", "full");
    // A backup counts from the second after its end.
    await ask(shop.connection_url, "SELECT pg_sleep(2.1)");
    const [{ at }] = (await ask<{ at: Date }>(shop.connection_url, "SELECT clock_timestamp() AS at")) as [{ at: Date }];
    await ask(shop.connection_url, "SELECT pg_sleep(0.1)");
    await ask(shop.connection_url, "DELETE FROM orders WHERE id > 100");
    const future = await home.run(["db", "branch", "shop", "then", "--at", "2199-01-01 00:00"]);
    expect(future).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("in the future") as string });
    const made = await home.run(["db", "branch", "shop", "then", "--at", at.toISOString()]);
    expect(made.exitCode, made.stderr).toBe(0);
    const count = "SELECT count(*)::int AS n FROM orders";
    expect(await ask(await urlOf(home, "then"), count)).toEqual([{ n: 500 }]);
    expect(await ask(shop.connection_url, count)).toEqual([{ n: 100 }]);
    await leavesNothing(home);
  });

  test("never lands on a database that exists, nor under a name that is none", async () => {
    await home.createDatabase("taken");
    expect((await home.run(["db", "branch", "shop", "taken"])).exitCode).toBe(1);
    for (const name of ["postgres", "Shop", "shop;x", "a".repeat(64)])
      expect((await home.run(["db", "branch", "shop", name])).exitCode, name).toBe(2);
    expect((await home.run(["db", "branch", "nothere", "fresh"])).exitCode).toBe(7);
  });
});
