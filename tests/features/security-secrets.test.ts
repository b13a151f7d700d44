import { readFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sleep } from "../../src/core/clock.ts";
import { readableLine } from "../../src/engines/logs.ts";
import { findAccount, isRoot, SYSTEM_USER } from "../../src/host/account.ts";
import { askAsSuperuser, connectAsSuperuser } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";
import { allProcesses, processesOf } from "../harness/processes.ts";
import { filesHolding, holding, octal, walk } from "../harness/sweep.ts";

/** Secrets that the environment of the first `up` gives: unlike any other text. */
const CANARIES = {
  POSTGRES_PASSWORD: "Canary-superuser-7f3Qd0x",
  REPLICATION_PASSWORD: "Canary-replication-8Wm2Lk",
  PATRONI_RESTAPI_PASSWORD: "Canary-restapi-4Hn9Tz",
  PGBOUNCER_STATS_PASSWORD: "Canary-stats-1Vb6Yp",
};

/** Everything that PostgreSQL can be made to write down. */
const TALKATIVE = {
  HOMELAB_POSTGRES__EXTRA__LOG_STATEMENT: "all",
  HOMELAB_POSTGRES__EXTRA__LOG_MIN_DURATION_STATEMENT: "0",
  HOMELAB_POSTGRES__EXTRA__LOG_CONNECTIONS: "true",
};

let home: TestHome;
/** Every secret that there was at any time, by what it is for. */
const secrets: Record<string, string> = { ...CANARIES };
/** Whatever was seen in arguments and environments of others than the caller's own command, and in pg_stat_activity. */
const seen = new Set<string>();
let printed = "";

/** Passwords change: they are noted after each command. */
function noteSecrets(): void {
  const known = JSON.parse(readFileSync(home.paths.secrets, "utf8")) as Record<string, string>;
  for (const [name, secret] of Object.entries(known)) secrets[name] = secret;
  for (const file of readdirSync(home.paths.credentials)) {
    const text = readFileSync(join(home.paths.credentials, file), "utf8");
    for (const [, password] of text.matchAll(/"password": "([^"]+)"/g))
      secrets[`${file} ${password!.slice(0, 4)}`] = password!;
  }
}

/** Looks at all processes again and again; the command itself was given the canaries by its caller. */
async function watchProcesses(ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    for (const { command, environment, users } of allProcesses()) {
      seen.add(command);
      if (users[0] !== 0 && !command.includes("dist/main.js")) seen.add(environment);
    }
    await sleep(100);
  }
}

async function watchActivity(ended: AbortSignal): Promise<void> {
  const client = await connectAsSuperuser(home);
  while (!ended.aborted) {
    const { rows } = await client.query<{ query: string }>("SELECT query FROM pg_stat_activity");
    for (const { query } of rows) seen.add(query);
    await sleep(5);
  }
  await client.end();
}

/** A command of which nothing that it prints may hold a secret. */
async function quiet(...args: string[]): Promise<void> {
  const { stdout, stderr } = await home.run(args);
  printed += stdout + stderr;
}

beforeAll(async () => {
  home = await TestHome.empty();
  const end = new AbortController();
  const watches = [watchProcesses(end.signal)];
  const up = await home.run(["up", ...home.upFlags()], { env: { ...CANARIES, ...TALKATIVE } });
  expect(up.exitCode, up.stderr).toBe(0);
  printed += up.stdout + up.stderr;
  noteSecrets();
  watches.push(watchActivity(end.signal));
  await home.createDatabase("shop");
  await home.createDatabase("wiki");
  noteSecrets();
  await home.ok("db", "rotate", "shop");
  await home.ok("db", "rotate", "wiki");
  noteSecrets();
  await quiet("db", "rotate", "wiki", "--finish");
  await quiet("db", "delete", "wiki", "--yes");
  await quiet("db", "create", "Refused Name");
  await home.run(["--local", "db", "create", "half"], {
    env: { HOMELAB_CRASH_AT: "database.provision:create-database:after-effect" },
  });
  await home.createDatabase("half");
  noteSecrets();
  await quiet("restart", "pgbouncer");
  for (const words of ["status", "health", "db list", "db show shop", "config show", "op list"]) {
    await Promise.all([quiet(...words.split(" ")), quiet(...words.split(" "), "--json")]);
  }
  for (const { id } of (await home.ok("op", "list", "--json")).json<{ items: { id: string }[] }>().items)
    await quiet("op", "show", id, "--json");
  for (const service of ["agent", "etcd", "patroni", "postgres", "haproxy", "pgbouncer"])
    await quiet("logs", service, "--tail", "100000");
  end.abort();
  await Promise.all(watches);
});
afterAll(() => home.destroy());

test("S07: while every statement is logged, no password is in a log or in pg_stat_activity", () => {
  const logs = walk(home.paths.logs).map(({ path }) => readFileSync(join(home.paths.logs, path), "utf8"));
  const readable = logs.join("").split("\n").map(readableLine).join("\n");
  expect(readable).toMatch(/statement: (BEGIN;)?CREATE ROLE "shop_owner"/);
  expect(holding(readable, secrets)).toEqual([]);
  expect([...seen].some((query) => query.includes("pg_stat_activity"))).toBe(true);
  expect(holding(logs.join(""), secrets)).toEqual([]);
  expect(holding([...seen].join("\n"), secrets)).toEqual([]);
});

test("S07: the server stores SCRAM verifiers and nothing else", async () => {
  const rows = await askAsSuperuser<{ name: string; verifier: string | null }>(
    home,
    "SELECT rolname AS name, rolpassword AS verifier FROM pg_authid WHERE rolname !~ '^pg_'",
  );
  expect(rows.map((row) => row.name)).toEqual(
    expect.arrayContaining(["postgres", "shop_app", "shop_app_b", "half_ro"]),
  );
  for (const { name, verifier } of rows) if (verifier !== null) expect(verifier, name).toMatch(/^SCRAM-SHA-256\$4096:/);
});

describe("S08: after making, rotating, deleting, failing and restarting", () => {
  test("S08: the canaries were taken over, and are among what is looked for", () => {
    expect(secrets).toMatchObject({
      superuser: CANARIES.POSTGRES_PASSWORD,
      pooler_stats: CANARIES.PGBOUNCER_STATS_PASSWORD,
    });
    expect(Object.keys(secrets).length).toBeGreaterThan(15);
  });

  test("S08: only the files that exist to hold a secret hold one, and each is closed to others", () => {
    const holders = filesHolding(home.root, secrets);
    const allowed =
      /^(secrets\.json|storage\.json|etc\/(patroni\.yml|pgbouncer_users\.txt|pgbackrest\.(conf|pgpass))|run\/patroni\.pgpass|credentials\/[^/]+\.json)$/;
    expect(Object.keys(holders).filter((path) => !allowed.test(path))).toEqual([]);
    expect(Object.keys(holders)).toEqual(
      expect.arrayContaining(["secrets.json", "etc/patroni.yml", "credentials/shop.json"]),
    );
    const modes = walk(home.root)
      .filter(({ path }) => holders[path])
      .map(({ stats }) => octal(stats));
    expect(new Set(modes)).toEqual(new Set(["0600"]));
    // An app's password is in its own file and in no other.
    const app = Object.entries(holders).filter(([, names]) => names.some((name) => name.startsWith("shop.json")));
    expect(app.map(([path]) => path)).toEqual(["credentials/shop.json"]);
  });

  test("S08: no process was given one, as an argument or in its environment", async () => {
    expect(holding([...seen].join("\n"), secrets)).toEqual([]);
    for (const { command, environment } of await processesOf(home))
      expect(holding(`${command}\n${environment}`, secrets), command).toEqual([]);
  });

  test("S08: no command but those that hand out URLs printed one", () => {
    expect(printed).toContain("database.rotate-password");
    expect(holding(printed, secrets)).toEqual([]);
  });

  test("S08: nothing was left in the temporary folder, and no process left a core file", () => {
    const owner = findAccount(SYSTEM_USER)?.uid;
    const left = readdirSync(tmpdir(), { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(tmpdir(), entry.name));
    for (const path of left) expect(holding(readFileSync(path), secrets), path).toEqual([]);
    expect(owner === undefined && isRoot()).toBe(false);
    expect(walk(home.root).filter(({ path }) => /(^|\/)core(\.\d+)?$/.test(path))).toEqual([]);
  });
});

test("S36: folders are closed, but for the way to the program and to the CA's certificate", () => {
  const modes = Object.fromEntries(
    walk(home.root)
      .filter(({ path }) => !path.includes("/"))
      .map(({ path, stats }) => [path, octal(stats)]),
  );
  expect(modes).toEqual({
    app: "0755",
    backups: "0700",
    "ca.crt": "0644",
    credentials: "0700",
    data: "0700",
    dumps: "0700",
    etc: "0700",
    "homelab.yaml": "0644",
    logs: "0700",
    run: "0700",
    scratch: "0700",
    "secrets.json": "0600",
    state: "0700",
    "storage.json": "0600",
    tls: "0700",
  });
  const own = walk(join(home.root, "..")).find(({ path }) => path === "home")!;
  expect(octal(own.stats)).toBe("0711");
  expect(octal(walk(home.paths.data).find(({ path }) => path === "postgres")!.stats)).toBe("0700");
});

test("S36: nothing is writable for others, and what is not the program is readable to nobody else", () => {
  const all = walk(home.root).filter(({ stats }) => !stats.isSymbolicLink());
  expect(all.length).toBeGreaterThan(1000);
  expect(all.filter(({ stats }) => (stats.mode & 0o022) !== 0).map(({ path }) => path)).toEqual([]);
  expect(all.filter(({ stats }) => (stats.mode & 0o7000) !== 0).map(({ path }) => path)).toEqual([]);
  const open = all.filter(({ stats }) => (stats.mode & 0o077) !== 0).map(({ path }) => path);
  expect(open.filter((path) => !/^(app(\/|$)|ca\.crt$|homelab\.yaml$)/.test(path))).toEqual([]);
  const sockets = all.filter(({ stats }) => stats.isSocket());
  expect(sockets.length).toBeGreaterThanOrEqual(4);
});

test.runIf(isRoot())("S36: everything belongs to the engines' user, though root set it up", () => {
  const { uid } = findAccount(SYSTEM_USER)!;
  const foreign = walk(home.root).filter(({ path, stats }) => stats.uid !== uid && !path.endsWith("/node"));
  expect(foreign.map(({ path }) => path)).toEqual([]);
});

test("S37: no process runs as root or with a capability of root, and the agent does not either", async () => {
  const processes = await processesOf(home);
  expect(processes.length).toBeGreaterThan(10);
  for (const { command, users, capabilities } of processes) {
    expect(users, command).not.toContain(0);
    expect(BigInt(`0x${capabilities}`), command).toBe(0n);
  }
});

test.runIf(isRoot())(
  "S37: the engines' user has no password, no shell, no group of others and no line in sudoers",
  () => {
    const line = (file: string) =>
      readFileSync(file, "utf8")
        .split("\n")
        .find((entry) => entry.startsWith(`${SYSTEM_USER}:`));
    expect(line("/etc/passwd")).toMatch(/:\/usr\/sbin\/nologin$/);
    expect(line("/etc/shadow")?.split(":")[1]).toMatch(/^[!*]/);
    const groups = readFileSync("/etc/group", "utf8")
      .split("\n")
      .filter((entry) => entry.split(":")[3]?.split(",").includes(SYSTEM_USER));
    expect(groups).toEqual([]);
    const sudoers = filesHolding("/etc", { user: SYSTEM_USER });
    expect(Object.keys(sudoers).filter((path) => path.startsWith("sudoers"))).toEqual([]);
  },
);
