import { readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { ask, askAsSuperuser, connectAsSuperuser, refusal } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";

let home: TestHome;
let folder: string;

beforeAll(async () => {
  home = await TestHome.up();
  await home.createDatabase("shop");
  folder = await mkdtemp(join(tmpdir(), "hl-hostile-"));
});
afterAll(async () => {
  await home.destroy();
  await rm(folder, { recursive: true, force: true });
});

/** Names that mean something to a shell, to a program's arguments, to a connection string, to SQL or to a path. */
const HOSTILE = [
  "--help",
  "-Fd",
  "=host=evil",
  "a\nb",
  "x;y",
  "shop dbname=postgres",
  `shop"; DROP DATABASE shop; --`,
  "../secrets",
];

/** Everything that a command could have made or removed: databases, roles and files of credentials. */
async function inventory(): Promise<string[]> {
  const rows = await askAsSuperuser<{ name: string }>(
    home,
    `SELECT 'database ' || datname AS name FROM pg_database
     UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1`,
  );
  return [...rows.map((row) => row.name), ...readdirSync(home.paths.credentials), ...readdirSync(home.paths.run)]
    .filter((name) => !name.includes("shell-"))
    .sort();
}

test.each(HOSTILE)("S01, S02: the name %j creates nothing and runs nothing, with any command", async (name) => {
  const before = await inventory();
  const commands = [
    ["db", "create", "--", name],
    ["db", "show", "--", name],
    ["db", "url", "--", name],
    ["db", "delete", "--yes", "--", name],
    ["db-shell", "--", name],
  ];
  const results = await Promise.all(commands.map((args) => home.run(args, { input: "SELECT 'it ran';\n" })));
  expect(results.map(({ exitCode }) => exitCode)).toEqual([2, 7, 7, 7, 7]);
  for (const { stdout } of results) expect(stdout).toBe("");
  expect(await inventory()).toEqual(before);
});

test("S02: without the two hyphens, too, a name is never an option of another program", async () => {
  const before = await inventory();
  const help = await home.run(["db", "create", "--help"]);
  expect([help.exitCode, help.stdout.startsWith("Usage: homelab")]).toEqual([0, true]);
  for (const verb of ["create", "show", "url", "delete"])
    expect((await home.run(["db", verb, "-Fd"])).exitCode).toBe(2);
  expect((await home.run(["db-shell", "-Fd"])).exitCode).toBe(2);
  expect(await inventory()).toEqual(before);
});

test("S01: hostile values of db create's options are refused, and nothing is made", async () => {
  const before = await inventory();
  const options = [
    ["--owner", `x"; DROP ROLE shop_app; --`],
    ["--owner", "postgres"],
    ["--owner", "homelab_monitor"],
    ["--extension", "dblink"],
    ["--extension", "pg_trgm; DROP TABLE x"],
    ["--template", "--help"],
    ["--template", "shop"],
    ["--statement-timeout", "1s'; SELECT pg_sleep(9); --"],
    ["--connection-limit", "1; DROP"],
  ];
  for (const [option, value] of options) {
    const { exitCode, stdout } = await home.run(["db", "create", `${option}=${value}`, "other"]);
    expect([2, 4, 7], `${option} ${value}`).toContain(exitCode);
    expect(stdout).toBe("");
  }
  expect(await inventory()).toEqual(before);
});

describe("names that came from elsewhere", () => {
  const FOREIGN = ["--help", "=host=evil", "a\nb", `q"u'o\\te`, "\u001b[31mred\u001b[0m\u202e"];
  beforeAll(async () => {
    const admin = await connectAsSuperuser(home);
    for (const name of FOREIGN) await admin.query(`CREATE DATABASE ${admin.escapeIdentifier(name)}`);
    await admin.end();
  });

  test.each(FOREIGN)("S02: psql opens %j, and not what the name would mean as an argument", async (name) => {
    const { stdout, stderr } = await home.run(["db-shell", "--", name], {
      input:
        "\\pset format unaligned\n\\pset tuples_only on\nSELECT encode(convert_to(current_database(), 'UTF8'), 'hex');\n",
    });
    expect(stdout, stderr).toContain(Buffer.from(name).toString("hex"));
    expect((await home.run(["db", "delete", "--yes", "--", name])).exitCode).toBe(4);
  });

  test("S32: list, show and status print such a name on one line, without a control character", async () => {
    const shown = await Promise.all([
      home.run(["db", "list"]),
      home.run(["status"]),
      ...FOREIGN.map((name) => home.run(["db", "show", "--", name])),
      ...FOREIGN.map((name) => home.run(["db", "url", "--", `${name}x`])),
    ]);
    for (const { stdout, stderr } of shown)
      expect(`${stdout}${stderr}`).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    const list = shown[0].stdout.trim().split("\n");
    expect(list).toHaveLength(FOREIGN.length + 1);
    expect(list.map((line) => line.split("\t")[0])).toContain("a\\u000ab");
  });
});

test("S32: what a client wrote into a log steers no terminal, and begins no line of its own", async () => {
  const { connection_url: url } = (await home.ok("db", "url", "shop", "--json")).json<{ connection_url: string }>();
  const forged = "\n2031-01-01 00:00:00.000 UTC [1] LOG forged";
  const evil = `\u001b]0;owned\u0007\u001b[2Jred${forged}`;
  const named = `${url}&application_name=${encodeURIComponent(evil)}`;
  expect(await refusal(ask(named, "SELECT $1::text::int", [evil]))).toBe("22P02");
  const stranger = { host: "127.0.0.1", user: "nobody\u001b[2J", password: "wrong", connectionTimeoutMillis: 1500 };
  const ssl = { rejectUnauthorized: false };
  const attempts = [
    new Client({ ...stranger, ssl, port: home.port(5432), database: "shop" }),
    new Client({ ...stranger, port: home.port(6432), database: "nothing\u001b[2J" }),
  ];
  for (const client of attempts) expect(await refusal(client.connect())).not.toBe("nothing was refused");
  for (const [service, expected] of [
    ["postgres", "nobody"],
    ["pgbouncer", "nothing"],
  ] as const) {
    const { stdout } = await home.ok("logs", service);
    expect(stdout).toContain(expected);
    expect(stdout).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    expect(stdout.split("\n").filter((line) => line.startsWith("2031-01-01"))).toEqual([]);
  }
});

const hostileSettings: [string, object][] = [
  ["a line's end in pgbouncer.extra", { pgbouncer: { extra: { server_idle_timeout: "60\nadmin_users = evil" } } }],
  ["a ; in pgbouncer.extra", { pgbouncer: { extra: { server_idle_timeout: "60 ; admin_users" } } }],
  ["a quote in pgbouncer.extra", { pgbouncer: { extra: { server_idle_timeout: "'60" } } }],
  ["%include as a name in pgbouncer.extra", { pgbouncer: { extra: { "%include /etc/passwd": "" } } }],
  ["a section as a name in pgbouncer.extra", { pgbouncer: { extra: { "[databases]\n*": "host=evil" } } }],
  ["a line's end in postgres.extra", { postgres: { extra: { work_mem: "4MB\nfsync = off" } } }],
  ["a quote in postgres.extra", { postgres: { extra: { work_mem: "4MB' fsync='off" } } }],
  ["a backslash in postgres.extra", { postgres: { extra: { work_mem: "4MB\\" } } }],
  ["include as a name in postgres.extra", { postgres: { extra: { "include '/etc/passwd'": "" } } }],
  ["a line's end in the cluster's name", { name: "homelab\nlisten" }],
  ["a path as the cluster's name", { name: "../../etc" }],
  ["a line's end in the host", { network: { host: "localhost\nbind 0.0.0.0:1" } }],
  ["a user and a path in the host", { network: { host: "evil@host/x?sslmode=disable" } }],
  ["a word as an address", { network: { listen: ["*"] } }],
  ["a line's end in an address", { network: { listen: ["127.0.0.1\n  server evil 6.6.6.6:1"] } }],
];

test.each(hostileSettings)("S03: %s is refused before anything is written", async (_what, settings) => {
  const fresh = new TestHome(join(folder, "home"), home.offset);
  const file = join(folder, "homelab.yaml");
  await writeFile(file, stringify(settings));
  const { exitCode, stderr } = await fresh.run(["up", "--config", file]);
  expect(exitCode, stderr).toBe(2);
  expect(readdirSync(folder)).toEqual(["homelab.yaml"]);
});

test("S03: the same from the environment, and a password that would end a line of the pooler's user list", async () => {
  const fresh = new TestHome(join(folder, "home"), home.offset);
  const given: Record<string, string>[] = [
    { HOMELAB_NETWORK__HOST: "a b" },
    { HOMELAB_PGBOUNCER__EXTRA__SERVER_LIFETIME: "'1;'" },
    { PGBOUNCER_STATS_PASSWORD: `x"\n"evil" "known` },
    { POSTGRES_PASSWORD: "gehe\u0000im\n".replace("\u0000", "\u0001") },
  ];
  for (const env of given) {
    const { exitCode, stderr, stdout } = await fresh.run(["up", ...fresh.upFlags()], { env });
    expect(exitCode, `${Object.keys(env)[0]}: ${stderr}`).toBe(2);
    expect(`${stderr}${stdout}`).not.toContain("evil");
    expect(readdirSync(folder)).toEqual(["homelab.yaml"]);
  }
});
