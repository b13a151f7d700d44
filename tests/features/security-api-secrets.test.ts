import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sleep } from "../../src/core/clock.ts";
import { run } from "../../src/host/run.ts";
import { Api } from "../harness/api.ts";
import { Canaries } from "../harness/canaries.ts";
import { askAsSuperuser } from "../harness/clients.ts";
import { pidsOf } from "../harness/engines.ts";
import type { TestHome } from "../harness/home.ts";
import { accountsReady, homeWithHub, ownerOf } from "../harness/people.ts";
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
let canaries: Canaries;
/** Arguments and environments of all processes, seen again and again. */
const seen = new Set<string>();

async function watchProcesses(ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    for (const { command, environment, users } of allProcesses())
      if (users[0] !== 0 && !command.includes("dist/main.js")) seen.add(`${command}\n${environment}`);
    await sleep(100);
  }
}

beforeAll(async () => {
  home = await homeWithHub(GIVEN);
  const owner = await ownerOf(home);
  canaries = new Canaries(home);
  const end = new AbortController();
  const watch = watchProcesses(end.signal);
  await canaries.use();
  // Once more from files: the hub begins anew, and reads what the one before had kept.
  process.kill((await home.pid("hub"))!, "SIGKILL");
  await sleep(500);
  await accountsReady(home);
  for (const { path, method, isStream } of await documentedRoutes(home)) {
    if (method !== "GET" || isStream || path.includes("{") || path.includes("sso")) continue;
    for (const api of [owner, Api.network(home)]) canaries.keep(await api.get(path));
  }
  for (const { id } of (await owner.get("/api/operations?limit=1000")).json<{ items: { id: string }[] }>().items)
    for (const path of ["", "/log"]) canaries.keep(await owner.get(`/api/operations/${id}${path}`));
  for (const service of ["agent", "hub", "patroni", "postgres", "haproxy", "pgbouncer", "etcd"])
    canaries.keep(await owner.get(`/api/logs/${service}?tail=5000`));
  for (const path of ["/api/databases/shop", "/api/databases/blog", "/api/audit?limit=1000"])
    canaries.keep(await owner.get(path));
  end.abort();
  await watch;
});
afterAll(() => home.destroy());

test("S08: the secrets were taken over, and there are many of each kind", () => {
  expect(canaries.secrets).toMatchObject({
    "secrets.json dashboard_api_key": GIVEN.DASHBOARD_API_KEY,
    "secrets.json jarvis_db": GIVEN.JARVIS_DB_PASSWORD,
  });
  expect(Object.keys(canaries.secrets).length).toBeGreaterThan(25);
  expect(Object.values(canaries.secrets).filter((secret) => !secret)).toEqual([]);
});

test("S08: no list, report, error, page, metric or stream shows one", () => {
  expect(canaries.said.length).toBeGreaterThan(60);
  expect(canaries.said.filter((text) => holding(text, canaries.secrets).length > 0)).toEqual([]);
  expect(canaries.streams.map((stream) => stream.text().length > 0)).toEqual([true, true, true]);
  for (const stream of canaries.streams) expect(holding(stream.text(), canaries.secrets)).toEqual([]);
});

test("S08: no process was given one, as an argument or in its environment", () => {
  expect([...seen].filter((text) => text.includes("hub.js")).length).toBeGreaterThan(0);
  for (const text of seen) expect(holding(text, canaries.secrets), text.slice(0, 200)).toEqual([]);
  for (const pid of pidsOf(home.root))
    for (const file of ["cmdline", "environ"])
      expect(holding(readFileSync(`/proc/${pid}/${file}`), canaries.secrets), `${pid} ${file}`).toEqual([]);
});

test("S08: only the files that exist to hold a secret hold one: no log, no journal, no data file, no snapshot", () => {
  const holders = filesHolding(home.root, canaries.secrets);
  const allowed =
    /^(secrets\.json|storage\.json|etc\/(patroni\.yml|pgbouncer_users\.txt|pgbackrest\.(conf|pgpass))|run\/patroni\.pgpass|credentials\/[^/]+\.json)$/;
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
  expect(holding(dump, canaries.secrets)).toEqual([]);
  expect(dump).not.toMatch(/postgresql:\/\/[^\s:]+:[^\s@]+@/);
});
