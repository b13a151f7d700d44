import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sleep, waitUntil } from "../../src/core/clock.ts";
import { commandOf } from "../../src/host/processes.ts";
import { Api } from "../harness/api.ts";
import { ask, askAsSuperuser, connect, refusal } from "../harness/clients.ts";
import { pidsOf } from "../harness/engines.ts";
import type { CliResult, TestHome } from "../harness/home.ts";
import { accountsReady, homeWithHub, makeAdmin, makeKey, ownerOf } from "../harness/people.ts";

interface Replaced {
  as_of: string | null;
  last_commit: string | null;
  gone: string[];
  passwords_mended: string[];
  passwords_unknown: string[];
  kept: string;
}

let home: TestHome;
let owner: Api;
let key: string;
/** The moment that everything goes back to, and one of the time after it. */
let target: string;
let late: string;
/** The URLs of an app of before the target: the password of then, and the one that it has now. */
let before: string;
let shop: string;
let wiki: string;
let probes = 0;

const RESTORE = ["db", "restore", "--in-place", "--confirm=homelab"];

beforeAll(async () => {
  home = await homeWithHub();
  owner = await ownerOf(home);
  before = (await home.createDatabase("shop")).connection_url;
  await ask(before, "CREATE TABLE line (n int PRIMARY KEY, says text)");
  await ask(before, "INSERT INTO line VALUES (1, 'in the backup')");
  await home.ok("db", "backup", "full");
  // A backup counts from the second after its end.
  await sleep(1100);
  await ask(before, "INSERT INTO line VALUES (2, 'before the target')");
  target = await now();
  await ask(before, "INSERT INTO line VALUES (3, 'after the target')");
  key = await makeKey(owner, "made later", ["read"]);
  await makeAdmin(home);
  await home.ok("db", "rotate", "shop");
  await home.ok("db", "rotate", "shop", "--finish");
  shop = await url("shop");
  wiki = (await home.createDatabase("wiki")).connection_url;
  await ask(wiki, "CREATE TABLE page AS SELECT 'written later' AS says");
  late = await now();
});
afterAll(() => home?.destroy());

/** The server's own clock, to the microsecond. */
async function now(): Promise<string> {
  const text = "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
  return (await askAsSuperuser<{ now: string }>(home, `SELECT ${text} AS now`))[0]!.now;
}

const url = async (name: string): Promise<string> => (await home.ok("db", "url", name, "--direct")).stdout.trim();
const lines = async (): Promise<number[]> =>
  (await ask<{ n: number }>(shop, "SELECT n FROM line ORDER BY n")).map(({ n }) => n);
const postmaster = async () => (await readFile(join(home.paths.postgresData, "postmaster.pid"), "utf8")).split("\n")[0];
const result = (run: CliResult): Replaced => run.json<{ result: Replaced }>().result;
const timeline = async (): Promise<number> =>
  (
    await askAsSuperuser<{ t: number }>(
      home,
      "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int AS t",
    )
  )[0]!.t;

/** Users, keys, the audit log and what was done did not go back, and the hub writes again. */
async function expectPlatformWhole(): Promise<void> {
  await accountsReady(home);
  expect((await Api.network(home).withKey(key).get("/api/session")).status).toBe(200);
  const users = (await owner.get("/api/users")).json<{ items: { name: string }[] }>().items;
  expect(users.map(({ name }) => name)).toEqual(["ada"]);
  expect((await owner.get("/api/audit/proof")).json()).toMatchObject({ ok: true });
  const audit = (await owner.get("/api/audit?action=database.provision")).json<{ items: { target: string }[] }>();
  expect(audit.items.map((entry) => entry.target)).toContain("wiki");
  const done = (await home.ok("op", "list", "--json")).json<{ items: { operation: string; state: string }[] }>().items;
  expect(done.filter(({ state }) => state === "running")).toEqual([]);
  expect(done.map(({ operation }) => operation)).toContain("database.finish-rotation");
  const writes = async () =>
    (await owner.post("/api/keys", { name: `probe ${++probes}`, scopes: ["read"], expires_at: null })).status === 201;
  await waitUntil(writes, { timeout: 30, every: 300, what: "a key can be made" });
}

/** A backup of any kind can be made on the new timeline, and nothing is missing. */
async function expectBackupsGoOn(): Promise<void> {
  const made = await home.ok("db", "backup", "incr", "--json");
  expect(made.json<{ result: { backups: { checked: boolean }[] } }>().result.backups).toMatchObject([
    { checked: true },
  ]);
  const window = (await owner.get("/api/recovery-window")).json<{
    from: string;
    to: string;
    repositories: { trouble: string | null; gaps: unknown[]; windows: unknown[] }[];
  }>();
  expect(window.repositories).toMatchObject([{ trouble: null, gaps: [] }]);
  expect(window.repositories[0]!.windows).toHaveLength(1);
  expect(Date.parse(window.from)).toBeLessThan(Date.parse(target));
  expect(Date.parse(window.to)).toBeGreaterThan(Date.parse(late));
}

describe("what is refused before anything is stopped", () => {
  let running: string | undefined;
  beforeAll(async () => {
    running = await postmaster();
  });

  test.each(["2100-01-01T00:00:00Z", "2001-01-01T00:00:00Z"])(
    "F65: %s is outside of the window, and the window is said",
    async (moment) => {
      const begun = performance.now();
      const { exitCode, stderr } = await home.run([...RESTORE, "--to", moment]);
      console.log(`F65: ${moment} refused after ${Math.round(performance.now() - begun)} ms`);
      expect(exitCode, stderr).toBe(2);
      expect(stderr).toMatch(/cannot be had back/);
      expect(stderr).toMatch(/Any second from \S+ to \S+ can be had back/);
      expect(await postmaster()).toBe(running);
    },
  );

  test("F73: another cluster's name is refused, by the command and by the API", async () => {
    const { exitCode, stderr } = await home.run(["db", "restore", "--in-place", "--to", target, "--confirm=other"]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("--confirm=other is not homelab")]);
    const asked = await owner.post("/api/cluster/restore", { cluster: "other", to: target });
    expect([asked.status, asked.code]).toEqual([409, "restore_refused"]);
    expect(await postmaster()).toBe(running);
  });

  test("F73: a data directory of another cluster is refused", async () => {
    const mark = await readFile(home.paths.bootstrapped, "utf8");
    await writeFile(
      home.paths.bootstrapped,
      mark.replace(/"system_identifier":"\d+"/, '"system_identifier":"7000000000000000001"'),
    );
    const { exitCode, stderr } = await home.run([...RESTORE, "--to", target]);
    await writeFile(home.paths.bootstrapped, mark);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("is of another cluster")]);
    expect(await postmaster()).toBe(running);
  });

  test("an undo without a restore is refused", async () => {
    const { exitCode, stderr } = await home.run(["db", "restore", "--undo", "--confirm=homelab"]);
    expect([exitCode, stderr]).toEqual([7, expect.stringContaining("no restore in place can be undone")]);
  });
});

test("the plan names every database, how far they go back, and the connections that are cut", async () => {
  const session = await connect(shop);
  const { stdout } = await home.ok("db", "restore", "--in-place", "--to", target, "--dry-run");
  await session.end();
  expect(stdout).toMatch(
    /ALL 2 DATABASES go back [\d.]+ (s|min .*); writes after \S+ are lost; [1-9]\d* connections? will be cut/,
  );
  expect(stdout).toContain("(shop, wiki)");
  expect(await lines()).toEqual([1, 2, 3]);
});

test("F68: pgBackRest killed in the middle of the copy: what was there is put back, and nothing half is started", async () => {
  const was = await timeline();
  const run = home.run([...RESTORE, "--to", target]);
  const isRestore = (pid: number) => /pgbackrest .* restore$/.test(commandOf(pid));
  const found = await waitUntil(async () => pidsOf(home.root).find(isRestore), {
    timeout: 60,
    every: 1,
    what: "pgBackRest restores",
  });
  process.kill(found, "SIGKILL");
  const { exitCode, stderr } = await run;
  expect(exitCode, stderr).toBe(1);
  expect(await lines()).toEqual([1, 2, 3]);
  expect(await timeline()).toBeGreaterThanOrEqual(was);
  expect((await readdir(home.paths.data)).sort()).toEqual(["bootstrapped.json", "etcd", "postgres"]);
  await expectPlatformWhole();
});

test("the whole cluster goes back to the moment; apps keep their passwords, and the platform its records", async () => {
  const begun = performance.now();
  const end = await home.ok(...RESTORE, "--to", target, "--json");
  console.log(`restore in place: ${((performance.now() - begun) / 1000).toFixed(1)} s for a small cluster`);
  const said = result(end);
  expect(said).toMatchObject({ as_of: target, gone: ["wiki"], passwords_unknown: [], passwords_mended: ["shop"] });
  expect(Date.parse(said.last_commit!)).toBeLessThanOrEqual(Date.parse(target));
  expect(await lines()).toEqual([1, 2]);
  expect(await ask(await pooled("shop"), "SELECT count(*)::int AS n FROM line")).toEqual([{ n: 2 }]);
  // The password of then had ended, and stays ended.
  expect(await refusal(ask(before, "SELECT 1"))).toMatch(/28/);
  expect(await refusal(ask(wiki, "SELECT 1"))).toMatch(/^(28|3D000)/);
  expect(await readdir(home.paths.credentials)).toContain("wiki.json");
  expect(await readdir(home.paths.data)).toContain(said.kept.split("/").at(-1));
  await expectPlatformWhole();
});

const pooled = async (name: string): Promise<string> => (await home.ok("db", "url", name)).stdout.trim();

test("backups go on after it: the window is whole, without a gap", async () => {
  await ask(shop, "INSERT INTO line VALUES (4, 'after the restore')");
  await expectBackupsGoOn();
});

test("an undo brings everything back, under a timeline of its own", async () => {
  const was = await timeline();
  const said = result(await home.ok("db", "restore", "--undo", "--confirm=homelab", "--json"));
  expect(said.gone).toEqual([]);
  expect(await lines()).toEqual([1, 2, 3]);
  expect(await ask(wiki, "SELECT says FROM page")).toEqual([{ says: "written later" }]);
  expect(await timeline()).toBeGreaterThan(was);
  await expectPlatformWhole();
});

test("backups go on after the undo, along what is the cluster again", async () => {
  await ask(shop, "INSERT INTO line VALUES (5, 'after the undo')");
  await expectBackupsGoOn();
  // What the undo replaced is kept in its turn.
  const said = result(await home.ok("db", "restore", "--undo", "--confirm=homelab", "--json"));
  expect(await lines()).toEqual([1, 2, 4]);
  expect(said.gone).toEqual(["wiki"]);
  await home.ok("db", "restore", "--undo", "--confirm=homelab");
  expect(await lines()).toEqual([1, 2, 3, 5]);
});

test("a cluster that cannot start any more goes back to the last that was archived", async () => {
  await ask(shop, "INSERT INTO line VALUES (6, 'archived')");
  await askAsSuperuser(home, "SELECT pg_switch_wal()");
  const archived = async () =>
    (
      await askAsSuperuser<{ n: number }>(
        home,
        "SELECT count(*)::int AS n FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'",
      )
    )[0]!.n === 0;
  await waitUntil(archived, { timeout: 60, what: "all is archived" });
  await rm(join(home.paths.postgresData, "global", "pg_control"));
  process.kill(Number(await postmaster()), "SIGKILL");
  const said = result(await home.ok(...RESTORE, "--latest", "--json"));
  expect(await lines()).toEqual([1, 2, 3, 5, 6]);
  expect(said.passwords_unknown).toEqual([]);
  await expectPlatformWhole();
});

test("what was replaced goes when it is asked for, and then nothing can be undone", async () => {
  const gone = await home.ok("db", "restore", "--discard-kept", "--confirm=homelab", "--json");
  expect(gone.json<{ result: { removed: string[] } }>().result.removed.length).toBeGreaterThan(0);
  expect((await readdir(home.paths.data)).sort()).toEqual(["bootstrapped.json", "etcd", "postgres"]);
  expect((await home.run(["db", "restore", "--undo", "--confirm=homelab"])).exitCode).toBe(7);
});
