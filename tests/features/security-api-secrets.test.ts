import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sleep } from "../../src/core/clock.ts";
import { run } from "../../src/host/run.ts";
import { Api, type ApiAnswer } from "../harness/api.ts";
import { askAsSuperuser } from "../harness/clients.ts";
import { pidsOf } from "../harness/engines.ts";
import type { TestHome } from "../harness/home.ts";
import { accountsReady, browser, cookieOf, homeWithHub, ownerOf, passwordOf, signIn } from "../harness/people.ts";
import { allProcesses } from "../harness/processes.ts";
import { documentedRoutes } from "../harness/routes.ts";
import { filesHolding, holding, octal, walk } from "../harness/sweep.ts";

/** What the environment of the first `up` gives, and everything that PostgreSQL can be made to write down. */
const GIVEN = {
  DASHBOARD_API_KEY: "Canary-dashboard-3Gh7Kw1Zq9",
  JARVIS_DB_PASSWORD: "Canary-jarvis-6Np2Rt8Xv4",
  HOMELAB_POSTGRES__EXTRA__LOG_STATEMENT: "all",
  HOMELAB_POSTGRES__EXTRA__LOG_CONNECTIONS: "true",
};

let home: TestHome;
let owner: Api;
/** Every secret that there was at any time, by what it is. */
const secrets: Record<string, string> = {};
/** What the hub said to those who may not see secrets, or did not ask for any. */
const said: string[] = [];
/** Arguments and environments of all processes, seen again and again. */
const seen = new Set<string>();
let streams: { text(): string }[] = [];

const keep = (answer: ApiAnswer): ApiAnswer => {
  said.push(`${JSON.stringify(answer.headers)} ${answer.text}`);
  return answer;
};

/** Passwords of engines change: they are noted after each step. */
function noteFiles(): void {
  const known = JSON.parse(readFileSync(home.paths.secrets, "utf8")) as Record<string, string>;
  for (const [name, secret] of Object.entries(known)) secrets[`secrets.json ${name}`] = secret;
  for (const file of readdirSync(home.paths.credentials))
    for (const [, password] of readFileSync(join(home.paths.credentials, file), "utf8").matchAll(
      /"password": "([^"]+)"/g,
    ))
      secrets[`${file} ${password!.slice(0, 4)}`] = password!;
}

async function watchProcesses(ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    for (const { command, environment, users } of allProcesses())
      if (users[0] !== 0 && !command.includes("dist/main.js")) seen.add(`${command}\n${environment}`);
    await sleep(100);
  }
}

/** Everything that makes, hands out, takes or refuses a secret. */
async function useEverything(): Promise<void> {
  const open = Api.network(home);
  const link = await Api.socket(home).post("/api/setup/link");
  secrets["setup link"] = link.json<{ path: string }>().path.split("#")[1]!;
  const input = { token: secrets["setup link"], user_name: "ada", password: passwordOf("ada") };
  secrets["admin's session"] = cookieOf(await open.post("/api/setup", input))!;
  const admin = browser(open, secrets["admin's session"]);
  streams = [
    await owner.stream("/api/events"),
    await owner.stream("/api/logs/hub/events"),
    await owner.stream("/api/logs/postgres/events"),
  ];
  for (const name of ["grace", "linus"]) {
    secrets[`${name}'s password`] = passwordOf(name);
    keep(await admin.post("/api/users", { name, role: "operator", password: passwordOf(name) }));
    secrets[`${name}'s session`] = await signIn(open, name);
  }
  const made = await owner.post(
    "/api/keys",
    { name: "canary", scopes: ["provision"] },
    { "idempotency-key": "make-a-key" },
  );
  expect(made.status, made.text).toBe(201);
  const { key } = made.json<{ key: string }>();
  secrets["key"] = key.slice(12);
  secrets["next password"] = passwordOf("grace again");
  const passwords = { current: passwordOf("grace"), next: passwordOf("grace again") };
  keep(await browser(open, secrets["grace's session"]!).post("/api/session/password", passwords));
  const near = `${passwordOf("linus")}x`;
  keep(await open.post("/api/session", { user_name: "linus", password: near }));
  keep(await open.post("/api/session", { user_name: passwordOf("linus"), password: "linus" }));
  keep(await open.withKey(`${key}x`).get("/api/databases"));
  keep(await open.get(`/api/databases?api_key=${key}`));
  keep(await open.post("/api/setup", { token: key, user_name: "x", password: passwordOf("linus") }));
  keep(await admin.post("/api/users", { name: "Bad", password: passwordOf("linus") }));
  keep(await admin.post("/api/tasks", { title: `see ${key}`, task_type: key }));
  const client = open.withKey(key);
  for (const name of ["shop", "blog"]) {
    const headers = { "idempotency-key": `make-${name}` };
    const first = await client.post("/api/databases", { database_name: name }, headers);
    expect((await client.post("/api/databases", { database_name: name }, headers)).text).toBe(first.text);
    noteFiles();
  }
  await client.post("/api/databases/provision-for-service", { service_name: "wiki" });
  keep(await client.post("/api/databases/provision-for-service", { service_name: "wiki" }));
  keep(await client.post("/api/databases", { database_name: "shop" }));
  for (const path of ["shop/rotate?wait=60", "shop/finish-rotation?wait=60", "blog/rotate?wait=60"]) {
    noteFiles();
    keep(await client.post(`/api/databases/${path}`, {}));
  }
  noteFiles();
  await client.get("/api/databases/shop/url");
  keep(await client.delete("/api/databases/blog?wait=60"));
  keep(await browser(open, secrets["linus's session"]!).delete("/api/session"));
  secrets["sso"] = cookieOf(await open.post("/api/session", { user_name: "linus", password: passwordOf("linus") }))!;
}

beforeAll(async () => {
  home = await homeWithHub(GIVEN);
  owner = await ownerOf(home);
  const end = new AbortController();
  const watch = watchProcesses(end.signal);
  noteFiles();
  await useEverything();
  // Once more from files: the hub begins anew, and reads what the one before had kept.
  process.kill((await home.pid("hub"))!, "SIGKILL");
  await sleep(500);
  await accountsReady(home);
  for (const { path, method, isStream } of await documentedRoutes(home)) {
    if (method !== "GET" || isStream || path.includes("{") || path.includes("sso")) continue;
    for (const api of [owner, Api.network(home)]) keep(await api.get(path));
  }
  for (const { id } of (await owner.get("/api/operations?limit=1000")).json<{ items: { id: string }[] }>().items)
    for (const path of ["", "/log"]) keep(await owner.get(`/api/operations/${id}${path}`));
  for (const service of ["agent", "hub", "patroni", "postgres", "haproxy", "pgbouncer", "etcd"])
    keep(await owner.get(`/api/logs/${service}?tail=5000`));
  for (const path of ["/api/databases/shop", "/api/databases/blog", "/api/audit?limit=1000"])
    keep(await owner.get(path));
  end.abort();
  await watch;
});
afterAll(() => home.destroy());

test("S08: the secrets were taken over, and there are many of each kind", () => {
  expect(secrets).toMatchObject({
    "secrets.json dashboard_api_key": GIVEN.DASHBOARD_API_KEY,
    "secrets.json jarvis_db": GIVEN.JARVIS_DB_PASSWORD,
  });
  expect(Object.keys(secrets).length).toBeGreaterThan(25);
  expect(Object.values(secrets).filter((secret) => !secret)).toEqual([]);
});

test("S08: no list, report, error, page, metric or stream shows one", () => {
  expect(said.length).toBeGreaterThan(60);
  expect(said.filter((text) => holding(text, secrets).length > 0)).toEqual([]);
  expect(streams.map((stream) => stream.text().length > 0)).toEqual([true, true, true]);
  for (const stream of streams) expect(holding(stream.text(), secrets)).toEqual([]);
});

test("S08: no process was given one, as an argument or in its environment", () => {
  expect([...seen].filter((text) => text.includes("hub.js")).length).toBeGreaterThan(0);
  for (const text of seen) expect(holding(text, secrets), text.slice(0, 200)).toEqual([]);
  for (const pid of pidsOf(home.root))
    for (const file of ["cmdline", "environ"])
      expect(holding(readFileSync(`/proc/${pid}/${file}`), secrets), `${pid} ${file}`).toEqual([]);
});

test("S08: only the files that exist to hold a secret hold one: no log, no journal, no data file, no snapshot", () => {
  const holders = filesHolding(home.root, secrets);
  const allowed =
    /^(secrets\.json|etc\/patroni\.yml|etc\/pgbouncer_users\.txt|run\/patroni\.pgpass|credentials\/[^/]+\.json)$/;
  expect(Object.entries(holders).filter(([path]) => !allowed.test(path))).toEqual([]);
  expect(
    new Set(
      walk(home.root)
        .filter(({ path }) => holders[path])
        .map(({ stats }) => octal(stats)),
    ),
  ).toEqual(new Set(["0600"]));
  // What people and programs bring is in no file at all.
  const theirs = Object.values(holders)
    .flat()
    .filter((name) => !/\.json /.test(name));
  expect(theirs).toEqual([]);
  for (const file of ["accounts.json", "journal.db", "spool.db"])
    expect(octal(walk(home.paths.state).find(({ path }) => path === file)!.stats), file).toBe("0600");
});

test("S08: the platform's database holds answers for a second asking, and nobody can read them there", async () => {
  const rows = await askAsSuperuser<{ n: string }>(
    home,
    "SELECT count(*) AS n FROM idempotency_keys",
    "homelab_jarvis",
  );
  expect(Number(rows[0]!.n)).toBeGreaterThanOrEqual(3);
  const env = { PGPASSWORD: await home.secret("superuser"), PATH: process.env["PATH"]! };
  const to = ["-h", home.paths.run, "-p", String(home.port(5431)), "-U", "postgres", "homelab_jarvis"];
  const { stdout: dump } = await run({ argv: ["pg_dump", ...to], env });
  expect(holding(dump, secrets)).toEqual([]);
  expect(dump).not.toMatch(/postgresql:\/\/[^\s:]+:[^\s@]+@/);
});
