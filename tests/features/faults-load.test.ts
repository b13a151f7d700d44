import { afterAll, beforeAll, expect, test } from "vitest";
import { openJournal } from "../../src/journal/open.ts";
import { registry } from "../../src/operations/registry.ts";
import { Runner } from "../../src/operations/runner.ts";
import { ask, askAsSuperuser, openSiteOf } from "../harness/clients.ts";
import { asOwnerOf } from "../harness/owner.ts";
import { TestHome } from "../harness/home.ts";

let home: TestHome;

beforeAll(async () => {
  home = await TestHome.up();
});
afterAll(() => home.destroy());

interface Item {
  operation: string;
  state: string;
  id: string;
}
const operations = async () =>
  (await home.ok("op", "list", "--json", "--limit", "500")).json<{ items: Item[] }>().items;

/** How often a step was really done, over all runs. */
async function timesDone(step: string): Promise<number> {
  const runs = (await operations()).filter((item) => item.operation === "database.provision");
  const logs = await Promise.all(runs.map(({ id }) => home.ok("api", "GET", `/api/operations/${id}/log`)));
  const entries = logs.flatMap((one) => one.json<{ items: { step: string; event: string }[] }>().items);
  return entries.filter((entry) => entry.step === step && entry.event === "done").length;
}

test("F79: the same database asked for 50 times at once is made once, and everybody gets the same answer", async () => {
  const answers = await asOwnerOf(home, async () => {
    const site = await openSiteOf(home);
    const journal = openJournal(site.topology.paths);
    try {
      const runner = new Runner({ site, journal, registry });
      const start = () => runner.start("database.provision", { name: "wanted" }, { caller: "test" });
      return await Promise.all(Array.from({ length: 50 }, start));
    } finally {
      await journal.close();
      await site.close();
    }
  });
  expect(new Set(answers.map(({ result }) => JSON.stringify(result)))).toEqual(
    new Set([JSON.stringify({ database: "wanted", owner: "wanted_owner" })]),
  );
  expect(await askAsSuperuser(home, "SELECT datname FROM pg_database WHERE datname LIKE 'wanted%'")).toHaveLength(1);
  expect(await askAsSuperuser(home, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'wanted%'")).toHaveLength(3);
  for (const step of ["save-credentials", "make-roles", "create-database"]) expect(await timesDone(step), step).toBe(1);
  const { pooled_url: url } = await home.createDatabase("wanted");
  expect(await ask(url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
});

test("F79: five commands at once make one database, and print the same password", async () => {
  const answers = await Promise.all(Array.from({ length: 5 }, () => home.run(["db", "create", "rushed", "--json"])));
  expect(answers.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0, 0]);
  expect(new Set(answers.map(({ stdout }) => stdout)).size).toBe(1);
  const { pooled_url: url } = answers[0]!.json<{ pooled_url: string }>();
  expect(await ask(url, "SELECT current_user::text AS who")).toEqual([{ who: "rushed_owner" }]);
});

test("different databases asked for at once do not disturb one another", async () => {
  const names = Array.from({ length: 8 }, (_, i) => `one_of_many_${i}`);
  const made = await Promise.all(names.map((name) => home.createDatabase(name)));
  for (const [i, { pooled_url: url }] of made.entries())
    expect(await ask(url, "SELECT current_database()::text AS name")).toEqual([{ name: names[i] }]);
});

test("a delete and a create of one name at once come one after the other, and leave one whole database or none", async () => {
  for (let round = 0; round < 3; round++) {
    await home.createDatabase("contested");
    const both = await Promise.all([
      home.run(["db", "delete", "contested", "--yes"]),
      home.run(["db", "create", "contested", "--json"]),
    ]);
    for (const { exitCode, stderr } of both) expect([0, 7, 8], stderr).toContain(exitCode);
    const present = (await home.run(["db", "show", "contested"])).exitCode === 0;
    const url = (await home.createDatabase("contested")).pooled_url;
    expect(await ask(url, "SELECT 1 AS one"), present ? "it was there" : "it was gone").toEqual([{ one: 1 }]);
  }
  expect((await operations()).filter((item) => item.state === "running")).toEqual([]);
});
