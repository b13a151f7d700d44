import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sleep, waitUntil } from "../../src/core/clock.ts";
import { commandOf } from "../../src/host/processes.ts";
import { compareVersions } from "../../src/cluster/versions.ts";
import { readAgent } from "../../src/host/agent-process.ts";
import { readInstallation } from "../../src/site/installation.ts";
import { ask, askAsSuperuser, connect } from "../harness/clients.ts";
import { childrenOf, postmasterPid } from "../harness/engines.ts";
import { TestHome } from "../harness/home.ts";
import { Writer } from "../harness/writer.ts";

let home: TestHome;
let url: { pooled: string; direct: string };
let pooled: Writer;
let direct: Writer;

beforeAll(async () => {
  home = await TestHome.up();
  const urls = await home.createDatabase("shop");
  url = { pooled: urls.pooled_url, direct: urls.connection_url };
  pooled = await Writer.start(url.pooled);
  direct = await Writer.start(url.direct);
});
afterAll(async () => {
  await Promise.all([pooled?.stop(), direct?.stop()]);
  await home.destroy();
});

const ENGINES = ["etcd", "patroni", "haproxy", "pgbouncer", "pgbouncer-ro"];
const enginePids = () => Promise.all(ENGINES.map((name) => home.pid(name)));
const pidOf = (service: string) => (service === "postgres" ? postmasterPid(home.root) : home.pid(service));

/** Kills a service, waits until it is back and rows are acknowledged again, and prints what it cost. */
async function kill(service: string): Promise<number> {
  const pid = (await pidOf(service))!;
  for (const writer of [pooled, direct]) writer.mark();
  process.kill(pid, "SIGKILL");
  const back = await waitUntil(async () => ((await pidOf(service)) ?? pid) !== pid && (await pidOf(service)), {
    timeout: 60,
    what: `${service} runs again`,
  });
  await waitUntil(async () => (await home.run(["status"])).exitCode === 0, { timeout: 60, what: "all is well again" });
  await Promise.all([pooled.isWriting(), direct.isWriting()]);
  const gaps = [pooled.gap(), direct.gap()];
  const ledgers = await Promise.all([pooled.ledger(url.direct), direct.ledger(url.direct)]);
  const lost = ledgers.flatMap((ledger) => [...ledger.lost, ...ledger.unexpected]);
  console.log(
    `gap: ${service} pooled ${gaps[0]!.toFixed(2)} s direct ${gaps[1]!.toFixed(2)} s lost ${lost.length} of ${ledgers[0].acked + ledgers[1].acked}`,
  );
  expect(lost).toEqual([]);
  expect(Math.max(...gaps), "it came back by itself").toBeLessThan(60);
  return back;
}

/** Sessions that were open before a fault: what asks for the same backend afterwards was not interrupted. */
async function openSessions() {
  const sessions = [await connect(url.pooled), await connect(url.direct)];
  // A transaction keeps its server connection in the pooler, too.
  for (const session of sessions) await session.query("BEGIN");
  const backends = () =>
    Promise.all(sessions.map(async (s) => (await s.query("SELECT pg_backend_pid() AS pid")).rows[0].pid as number));
  return { backends, end: () => Promise.all(sessions.map((session) => session.end())) };
}

test("F77: a killed agent is back by itself with the same engines, and interrupts no session and no query", async () => {
  const engines = await enginePids();
  const sessions = await openSessions();
  const before = await sessions.backends();
  const long = ask(url.direct, "SELECT pg_sleep(2), 'done' AS answer");
  await kill("agent");
  expect(await sessions.backends()).toEqual(before);
  await sessions.end();
  expect(await long).toMatchObject([{ answer: "done" }]);
  expect(await enginePids()).toEqual(engines);
  expect([...pooled.errors, ...direct.errors]).toEqual([]);
  const agent = await readAgent(home.paths);
  expect(agent?.state.services.filter((service) => service.restarts > 0)).toEqual([]);
});

test("F04: without Patroni PostgreSQL goes on, and the new Patroni takes the same one over", async () => {
  const postmaster = await postmasterPid(home.root);
  const timeline = await timelineOf();
  const sessions = await openSessions();
  const before = await sessions.backends();
  await kill("patroni");
  expect(await sessions.backends()).toEqual(before);
  await sessions.end();
  expect(await postmasterPid(home.root)).toBe(postmaster);
  expect(await timelineOf()).toBe(timeline);
});

test("a killed etcd is back by itself, and no write fails meanwhile", async () => {
  const errors = pooled.errors.length + direct.errors.length;
  await kill("etcd");
  expect(pooled.errors.length + direct.errors.length).toBe(errors);
});

test("a killed pooler is back by itself, and direct sessions notice nothing", async () => {
  const errors = direct.errors.length;
  await kill("pgbouncer");
  expect(direct.errors.length).toBe(errors);
});

test("a killed HAProxy is back by itself, and pooled sessions notice nothing", async () => {
  const errors = pooled.errors.length;
  await kill("haproxy");
  expect(pooled.errors.length).toBe(errors);
});

test("F01: a killed PostgreSQL is back on the same node, with no orphan, and with every acknowledged row", async () => {
  const { machine } = (await readInstallation(home.paths))!;
  const timeline = await timelineOf();
  const orphans = childrenOf((await postmasterPid(home.root))!);
  expect(orphans.length).toBeGreaterThan(3);
  await kill("postgres");
  // Before 3.1, Patroni starts even the primary of a moment ago in recovery, and promotes it (patroni #2726).
  const promotes = compareVersions(machine.versions.patroni, [3, 1]) < 0;
  expect(await timelineOf()).toBe(promotes ? timeline + 1 : timeline);
  expect(orphans.filter((pid) => commandOf(pid).includes("postgres"))).toEqual([]);
});

test("F09: what the kernel would kill first is told", async () => {
  const score = (pid: number) => readFileSync(`/proc/${pid}/oom_score_adj`, "utf8").trim();
  const postmaster = (await postmasterPid(home.root))!;
  const [backend] = await askAsSuperuser<{ pid: number }>(home, "SELECT pg_backend_pid() AS pid, pg_sleep(0)");
  console.log(`oom_score_adj: postmaster ${score(postmaster)}, agent ${score((await home.pid("agent"))!)}`);
  expect(backend!.pid).toBeGreaterThan(0);
});

test("killed again and again within a minute, a service is started again ever later, and the agent says so", async () => {
  for (let round = 0; round < 3; round++) {
    await waitUntil(async () => (await home.pid("pgbouncer-ro")) !== undefined, { timeout: 20, what: "it runs" });
    process.kill((await home.pid("pgbouncer-ro"))!, "SIGKILL");
    await sleep(300);
  }
  await waitUntil(async () => (await home.pid("pgbouncer-ro")) !== undefined, { timeout: 30, what: "it runs again" });
  const log = await readFile(join(home.paths.logs, "agent.log"), "utf8");
  expect(log).toMatch(/pgbouncer-ro.*is gone.*started again at once/);
  expect(log).toMatch(/pgbouncer-ro.*started again in [0-9.]+ s \(\d+ times in a minute\)/);
});

/** The timeline that is written now: the first eight digits of the WAL file's name. */
async function timelineOf(): Promise<number> {
  const [row] = await askAsSuperuser<{ file: string }>(home, "SELECT pg_walfile_name(pg_current_wal_lsn()) AS file");
  return parseInt(row!.file.slice(0, 8), 16);
}
