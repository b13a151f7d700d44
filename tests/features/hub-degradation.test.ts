import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { Api } from "../harness/api.ts";
import { askAsSuperuser } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";
import { allProcesses } from "../harness/processes.ts";

let home: TestHome;
let api: Api;

beforeAll(async () => {
  home = await TestHome.up();
  api = Api.network(home).withKey(await home.secret("dashboard_api_key"));
  await home.createDatabase("before");
});
afterAll(() => home?.destroy());

/** Routes that only look, and take nothing: what a dashboard would ask. */
async function pages(): Promise<string[]> {
  const { paths } = (await api.get("/api/openapi.json")).json<{ paths: Record<string, Record<string, unknown>> }>();
  const streams = ["/api/events", "/api/session/sso", "/api/session/sso/callback"];
  return Object.keys(paths).filter((path) => paths[path]!["get"] && !path.includes("{") && !streams.includes(path));
}

/** What a page answers, and in how many milliseconds. */
async function timed(path: string): Promise<{ path: string; status: number; ms: number; text: string }> {
  const begun = performance.now();
  const { status, text } = await api.get(path);
  return { path, status, ms: performance.now() - begun, text };
}

/** Every line of history as the platform database has it. */
const lines = () =>
  askAsSuperuser<{ id: string; lines: number; last: number; state: string }>(
    home,
    `SELECT w.id::text, count(s.seq)::int AS lines, coalesce(max(s.seq), 0) AS last, w.state
     FROM workflows w LEFT JOIN workflow_steps s ON s.workflow_id = w.id GROUP BY w.id ORDER BY w.id`,
    "homelab_jarvis",
  );

/** Patroni and PostgreSQL are gone, and the agent that would bring them back stands still. */
async function stopPostgres(how: "killed" | "frozen"): Promise<() => Promise<void>> {
  const agent = (await home.pid("agent"))!;
  process.kill(agent, "SIGSTOP");
  const patroni = (await home.pid("patroni"))!;
  const [row] = await askAsSuperuser<{ pid: number }>(
    home,
    "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int AS pid",
  );
  const postmaster = row!.pid;
  if (how === "frozen") {
    const server = allProcesses().filter(({ pid, parent }) => pid === postmaster || parent === postmaster);
    const all = [patroni, ...server.map(({ pid }) => pid)];
    const send = (signal: NodeJS.Signals) => all.forEach((pid) => process.kill(pid, signal));
    send("SIGSTOP");
    return async () => {
      send("SIGCONT");
      process.kill(agent, "SIGCONT");
    };
  }
  process.kill(patroni, "SIGKILL");
  process.kill(postmaster, "SIGKILL");
  return async () => void process.kill(agent, "SIGCONT");
}

describe.each(["killed", "frozen"] as const)("with PostgreSQL %s under the hub", (how) => {
  let bringBack: () => Promise<void>;

  test("every page answers within a second, with what it knows and its age", async () => {
    const all = await pages();
    for (const path of all) await api.get(path);
    bringBack = await stopPostgres(how);
    // The first to ask may wait for what does not come; each page is given one second all the same.
    const blank: string[] = [];
    for (const path of all) {
      const answer = await timed(path);
      expect(answer.ms, path).toBeLessThan(1000 + 150);
      expect([200, 302, 503], `${path}: ${answer.text.slice(0, 300)}`).toContain(answer.status);
      if (answer.status === 503 && path !== "/readyz") blank.push(path);
    }
    // The audit log is read where it can be proven, and never from memory.
    expect(blank.toSorted()).toEqual(["/api/audit", "/api/audit/proof"]);
    type List = { items: { name: string }[]; stale: boolean; observed_at: string };
    const list = async () => (await api.get("/api/databases")).json<List>();
    const old = async () => ((await list()).stale ? list() : undefined);
    const known = await waitUntil(old, { timeout: 5, what: "the list says that it is old" });
    expect(known).toMatchObject({ stale: true, items: [{ name: "before" }] });
    expect(Date.parse(known.observed_at)).toBeLessThan(Date.now());
    expect((await api.get("/api/summary")).json()).toMatchObject({ databases: 1 });
    expect((await api.get("/readyz")).status).toBe(503);
    expect((await api.get("/healthz")).status).toBe(200);
    expect((await api.get("/api/logs/postgres")).status).toBe(200);
    expect((await api.get("/api/platform/health")).json()).toMatchObject({ healthy: false });
    await waitUntil(async () => (await api.get("/api/health")).json<{ state: string }>().state !== "ok", {
      timeout: 10,
      what: "the health report says so",
    });
  });

  test("repair works: an operation that does not need PostgreSQL runs, and is followed", async () => {
    const restarted = await api.post("/api/services/haproxy/restart?wait=2");
    // The agent stands still, so nothing starts HAProxy again yet: what matters is that it was begun and is on record.
    expect(restarted.status).toBe(202);
    const { id } = restarted.json<{ id: string }>();
    expect((await api.get(`/api/operations/${id}`)).json()).toMatchObject({ operation: "service.restart" });
    await bringBack();
    const state = async () => (await api.get(`/api/operations/${id}`)).json<{ state: string }>().state;
    await waitUntil(async () => (await state()) === "completed", { timeout: 90, what: "the restart is completed" });
  });

  test("once it is back, the journal is in the tables, and nothing twice", async () => {
    const here = async () => (await api.get("/api/operations?limit=1000")).json<{ total: number }>().total;
    const isThere = async () => {
      const rows = await lines().catch(() => []);
      return rows.length === (await here()) && rows.every(({ state }) => state !== "running");
    };
    await waitUntil(isThere, { timeout: 60, every: 200, what: "every operation is in the platform database" });
    // Lines are numbered without a gap, so as many as the last number says are there, each once.
    for (const { id, lines: count, last } of await lines()) expect({ id, count }).toEqual({ id, count: last });
    const audit = (await api.get("/api/audit?limit=1000")).json<{ items: { request_id: string; action: string }[] }>();
    const restarts = audit.items.filter(({ action }) => action === "service.restart");
    expect(new Set(restarts.map(({ request_id }) => request_id)).size).toBe(restarts.length);
    expect((await api.get("/api/audit/proof")).json()).toMatchObject({ ok: true });
    await waitUntil(async () => (await api.get("/readyz")).status === 200, { timeout: 30, what: "it is ready again" });
    expect((await api.get("/api/databases")).json()).toMatchObject({ stale: false, total: 1 });
  });
});
