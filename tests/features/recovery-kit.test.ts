import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sleep } from "../../src/core/clock.ts";
import { exists } from "../../src/host/files.ts";
import { Api } from "../harness/api.ts";
import { ask, askAsSuperuser } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";
import { archiveAll, Remains } from "../harness/lost-home.ts";
import { homeWithHub, makeAdmin, makeKey, ownerOf, signIn } from "../harness/people.ts";

const PASSPHRASE = "Canary of the kit 7Rw2Lm";
const DIGEST = "SELECT count(*)::int AS n, md5(string_agg(word, '' ORDER BY n)) AS all FROM item";

let home: TestHome;
let second: TestHome;
let remains: Remains;

/** What an app has: a URL, and what it finds behind it. */
interface App {
  url: string;
  rows: unknown;
}
const apps: Record<string, App> = {};
let key: string;
let systemIdentifier: unknown;

async function makeApp(name: string, rows: number): Promise<void> {
  const { pooled_url: url } = await home.createDatabase(name);
  await ask(url, `CREATE TABLE item AS SELECT n, md5(n::text) AS word FROM generate_series(1, ${rows}) n`);
  apps[name] = { url, rows: await ask(url, DIGEST) };
}

/** The URL that an app had, with the port of the new home. */
const movedUrl = ({ url }: App): string => url.replace(`:${home.port(6432)}/`, `:${second.port(6432)}/`);

beforeAll(async () => {
  remains = await Remains.folder(PASSPHRASE);
  home = await homeWithHub();
  await makeAdmin(home);
  key = await makeKey(await ownerOf(home), "laptop", ["read"]);
  await makeApp("shop", 5000);
  second = await TestHome.empty();
});

afterAll(async () => {
  await home?.destroy();
  await second?.destroy();
  await remains?.remove();
});

interface Status {
  made_at: string | null;
  tested_at: string | null;
  outdated: boolean;
  reason: string | null;
}

const statusOf = async (): Promise<Status> => (await Api.socket(home).get("/api/platform/kit")).json<Status>();
const recover = (...more: string[]) =>
  second.run(["up", ...second.upFlags(), ...remains.flags(), ...more], { timeout: 300 });

describe("the recovery kit", () => {
  test("is asked for until there is one, while a home without it stays healthy", async () => {
    expect(await statusOf()).toEqual({
      made_at: null,
      tested_at: null,
      outdated: true,
      reason: "there is no recovery kit yet",
    });
    expect((await home.ok("up")).stderr).toContain("No recovery kit yet: homelab platform kit");
    const health = await home.ok("health", "--json");
    const { checks } = health.json<{ checks: { name: string; state: string; hint?: string }[] }>();
    expect(checks.find(({ name }) => name === "recovery kit")).toMatchObject({
      state: "ok",
      hint: expect.stringContaining("homelab platform kit") as string,
    });
  });

  test("is a file for its owner alone, in which nothing can be read, and the audit log tells that it was made", async () => {
    await home.ok("db", "backup", "full");
    await remains.makeKit(home);
    expect((await stat(remains.kit)).mode & 0o777).toBe(0o600);
    const text = await readFile(remains.kit, "utf8");
    expect(text).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----\n/);
    for (const name of ["superuser", "dashboard_api_key"]) expect(text).not.toContain(await home.secret(name));
    const audit = await home.ok("audit", "--action", "platform.kit", "--json");
    expect(audit.stdout).toContain('"databases":1');
    for (const log of ["hub.log", "agent.log"])
      expect(await readFile(join(home.paths.logs, log), "utf8")).not.toContain("7Rw2Lm");
    expect((await home.run(["platform", "kit", "--output", remains.kit])).exitCode).toBe(2);
  });

  test("is made with a passphrase of its own where none is given, and answered as a download", async () => {
    const made = await home.ok("platform", "kit", "--output", join(remains.folder, "other.age"), "--json");
    expect(made.json<{ passphrase: string }>().passphrase).toMatch(/^([A-Za-z2-9]{4}-){7}[A-Za-z2-9]{4}$/);
    const owner = await ownerOf(home);
    const answer = await owner.post("/api/platform/kit", { passphrase: PASSPHRASE });
    expect([answer.status, answer.headers["content-disposition"]]).toEqual([
      200,
      expect.stringMatching(/^attachment; filename="homelab-kit-homelab-\d{4}-\d\d-\d\d\.age"$/),
    ]);
    expect((await owner.post("/api/platform/kit", { passphrase: "short" })).code).toBe("input_invalid");
    expect((await Api.network(home).withKey(key).post("/api/platform/kit", { passphrase: PASSPHRASE })).status).toBe(
      403,
    );
    await writeFile(remains.kit, answer.text, { mode: 0o600 });
  });

  test("F64: is proven to open the newest backup by what it says alone, and since when is known", async () => {
    const flags = ["platform", "kit", "--test", remains.kit, "--passphrase-file", remains.passphraseFile, "--json"];
    // From a home that there is not: another machine has nothing else.
    const elsewhere = await second.run(flags);
    expect(elsewhere.exitCode, elsewhere.stderr).toBe(0);
    expect(elsewhere.json()).toMatchObject({
      ok: true,
      repositories: [{ repository: "local", ok: true, label: expect.stringMatching(/^\d{8}-\d{6}F/) as string }],
    });
    expect(await statusOf()).toMatchObject({ outdated: false, reason: null, tested_at: null });
    await home.ok(...flags);
    expect((await statusOf()).tested_at).not.toBeNull();
    expect(await exists(second.root)).toBe(false);
  });

  test("F64: one whose passphrases are not the repository's any more is found out", async () => {
    const nowhere = [...remains.flags(join(remains.folder, "nowhere")).slice(2)];
    const lost = await second.run(["platform", "kit", "--test", remains.kit, ...nowhere, "--json"]);
    expect([lost.exitCode, lost.json<{ ok: boolean }>().ok], lost.stderr).toEqual([5, false]);
  });

  test("is outdated once a database has a password that it does not know", async () => {
    await makeApp("late", 300);
    expect(await statusOf()).toMatchObject({
      outdated: true,
      reason: "the recovery kit does not know the password of late",
    });
  });
});

describe("a lost machine", () => {
  /** A moment before the last rows came, and what there was then. */
  let earlier: { at: string; rows: unknown };

  beforeAll(async () => {
    const { url } = apps["shop"]!;
    // Moments are named in whole seconds here.
    await sleep(1100);
    earlier = { at: `${new Date().toISOString().slice(0, 19)}Z`, rows: apps["shop"]!.rows };
    await sleep(1100);
    await ask(url, "INSERT INTO item SELECT n, md5(n::text) FROM generate_series(5001, 6000) n");
    apps["shop"]!.rows = await ask(url, DIGEST);
    [systemIdentifier] = await askAsSuperuser(home, "SELECT system_identifier::text FROM pg_control_system()");
    await archiveAll(home);
    await remains.lose(home);
  });

  test("is not had back with a wrong passphrase or a damaged kit, and nothing is made then", async () => {
    await writeFile(join(remains.folder, "wrong"), "Canary of another kit");
    const flags = [...second.upFlags(), "--recover", remains.kit];
    const wrong = await second.run(["up", ...flags, "--passphrase-file", join(remains.folder, "wrong")]);
    expect([wrong.exitCode, wrong.stderr]).toEqual([
      4,
      expect.stringContaining("the passphrase does not open this kit"),
    ]);
    const lines = (await readFile(remains.kit, "utf8")).split("\n");
    lines[30] = `${lines[30]!.slice(0, 10)}${lines[30]![10] === "A" ? "B" : "A"}${lines[30]!.slice(11)}`;
    await writeFile(join(remains.folder, "damaged.age"), lines.join("\n"));
    const damaged = await second.run([
      ...["up", ...second.upFlags(), "--recover", join(remains.folder, "damaged.age")],
      ...["--passphrase-file", remains.passphraseFile],
    ]);
    expect([damaged.exitCode, damaged.stderr]).toEqual([2, expect.stringContaining("the recovery kit is damaged")]);
    expect(await exists(second.root)).toBe(false);
  });

  test("is not had back while it may still be running: two would archive into one repository", async () => {
    const { exitCode, stderr } = await recover();
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(/the old machine may still be running[^]*--force/)]);
    expect(await exists(second.root)).toBe(false);
  });

  test("F65: is not had back to a moment that was never archived", async () => {
    const { exitCode, stderr } = await recover("--force", "--to", "2099-01-01T00:00:00Z");
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(/cannot be had back; there is local: \d{4}-/)]);
    expect(await exists(second.root)).toBe(false);
  });

  test("is had back to an earlier second where one is named, in a home of its own", async () => {
    const third = await TestHome.empty();
    try {
      const flags = [
        ...third.upFlags(),
        ...remains.flags(await remains.copy("earlier")),
        "--force",
        "--to",
        earlier.at,
      ];
      const plan = await third.run(["up", ...flags, "--dry-run", "--json"]);
      expect(plan.json(), plan.stderr).toMatchObject({ repository: "local", to: earlier.at });
      expect(await exists(third.root)).toBe(false);
      const done = await third.run(["up", ...flags], { timeout: 300 });
      expect(done.exitCode, done.stderr).toBe(0);
      const url = apps["shop"]!.url.replace(`:${home.port(6432)}/`, `:${third.port(6432)}/`);
      expect(await ask(url, DIGEST)).toEqual(earlier.rows);
    } finally {
      await third.destroy();
    }
  });

  test("is had back under another home, on other ports, to the last archived second", async () => {
    const done = await recover("--force", "--json");
    expect(done.exitCode, done.stderr).toBe(0);
    const told = done.json<{ seconds: number; bytes: number; last_transaction_at: string; segments: number }>();
    expect(told).toMatchObject({
      databases: 2,
      logins_unknown: ["late"],
      repository: "local",
      first_backup: expect.stringMatching(/^\d{8}-\d{6}F/) as string,
    });
    console.log(
      `recovery from nothing: ${told.seconds} s for ${(told.bytes / 1e6).toFixed(1)} MB and ${told.segments} segments; back to ${told.last_transaction_at}`,
    );
    for (const app of Object.values(apps)) expect(await ask(movedUrl(app), DIGEST)).toEqual(app.rows);
    const [now] = await askAsSuperuser(second, "SELECT system_identifier::text FROM pg_control_system()");
    expect(now).toEqual(systemIdentifier);
  });

  test("knows its users and keys again, and lets nobody in as superuser who could not before", async () => {
    await signIn(Api.network(second), "ada");
    expect((await Api.network(second).withKey(key).get("/api/databases")).status).toBe(200);
    const hba = await readFile(join(second.paths.postgresData, "pg_hba.conf"), "utf8");
    expect(hba).not.toMatch(/\btrust\b/);
  });

  test("hands out the password that it had, and makes databases and backups as before", async () => {
    const url = (await second.ok("db", "url", "shop")).stdout.trim();
    expect(url).toBe(movedUrl(apps["shop"]!));
    await second.createDatabase("fresh");
    await second.ok("db", "backup", "incr");
    const list = (await second.ok("db", "list-backups", "--json")).json<{
      items: { checked: boolean; fault: string }[];
    }>();
    expect(list.items.length).toBeGreaterThanOrEqual(3);
    expect(list.items.filter(({ fault }) => fault !== null)).toEqual([]);
    expect((await second.ok("up", "--json")).json<{ changed: string[] }>().changed).toEqual([]);
    const { items } = (await second.ok("op", "list", "--json")).json<{ items: { state: string }[] }>();
    expect(items.filter(({ state }) => state === "running")).toEqual([]);
  });

  test("F73: another one is not recovered over it", async () => {
    const kit = join(remains.folder, "second.age");
    await second.ok("platform", "kit", "--output", kit, "--passphrase-file", remains.passphraseFile);
    const { exitCode, stderr } = await second.run(["up", "--recover", kit, ...remains.flags().slice(2), "--force"]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("there is an installation under")]);
    expect((await second.ok("status", "--json")).json<{ state: string }>().state).toBe("ok");
  });
});
