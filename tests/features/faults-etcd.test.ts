import { chmod, rename } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sleep, waitUntil } from "../../src/core/clock.ts";
import { EtcdLeases } from "../../src/engines/etcd/lease.ts";
import { TestHome } from "../harness/home.ts";
import { Writer } from "../harness/writer.ts";
import { askAsSuperuser } from "../harness/clients.ts";
import { postmasterPid } from "../harness/engines.ts";

let home: TestHome;
let writers: Writer[];
let direct: string;

beforeAll(async () => {
  home = await TestHome.up();
  const urls = await home.createDatabase("shop");
  direct = urls.connection_url;
  writers = await Promise.all([Writer.start(urls.pooled_url), Writer.start(urls.connection_url)]);
});
afterAll(async () => {
  await Promise.all((writers ?? []).map((writer) => writer.stop()));
  await home.destroy();
});

/** Nothing failed, nothing was lost, PostgreSQL is the one of before, and everything is well again. */
async function expectNoWriteFailed(what: string, postmaster: number | undefined): Promise<void> {
  const ledgers = await Promise.all(writers.map((writer) => writer.ledger(direct)));
  const [pooled, straight] = writers.map((writer) => writer.gap().toFixed(2));
  const acked = ledgers.reduce((sum, ledger) => sum + ledger.acked, 0);
  const lost = ledgers.reduce((sum, ledger) => sum + ledger.lost.length + ledger.unexpected.length, 0);
  const errors = writers.reduce((sum, writer) => sum + writer.errors.length, 0);
  console.log(`gap: ${what} pooled ${pooled} s direct ${straight} s lost ${lost} of ${acked}, errors ${errors}`);
  for (const ledger of ledgers) expect(ledger).toMatchObject({ lost: [], unexpected: [] });
  for (const writer of writers) expect([...new Set(writer.errors)]).toEqual([]);
  expect(await postmasterPid(home.root)).toBe(postmaster);
  const wellAgain = async () => (await home.run(["health"])).exitCode === 0;
  await waitUntil(wellAgain, { timeout: 60, what: "all is well again" });
  await Promise.all(writers.map((writer) => writer.isWriting()));
}

test("when up ends, Patroni has written down who the members are: failsafe mode goes by that", async () => {
  const tls = { ca: home.paths.caCertificate, cert: `${home.paths.tls}/node.crt`, key: `${home.paths.tls}/node.key` };
  const leases = new EtcdLeases({ tls, hosts: ["127.0.0.1"], port: home.port(2379) });
  expect((await leases.read("/homelab/homelab/failsafe"))?.value).toContain("/patroni");
  leases.close();
});

const timeline = async () =>
  (await askAsSuperuser(home, "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline"))[0];

test("etcd that does not answer for 60 s costs no write (failsafe mode), is told by health, and all is well afterwards", async () => {
  const postmaster = await postmasterPid(home.root);
  const before = await timeline();
  const etcd = (await home.pid("etcd"))!;
  writers.forEach((writer) => writer.mark());
  process.kill(etcd, "SIGSTOP");
  const stopped = Date.now();
  try {
    await sleep(5000);
    const health = await home.run(["health", "--json"]);
    expect(health.exitCode).toBe(6);
    const checks = health.json<{ checks: { name: string; state: string; says: string }[] }>().checks;
    expect(checks.find((check) => check.name === "etcd")).toMatchObject({ state: "down" });
    expect(checks.find((check) => check.name === "postgres")).toMatchObject({ state: "ok" });
    // Databases can be made meanwhile: nothing of that needs etcd.
    await home.createDatabase("meanwhile");
    await sleep(60_000 - (Date.now() - stopped));
  } finally {
    process.kill(etcd, "SIGCONT");
  }
  await expectNoWriteFailed("etcd frozen for 60 s", postmaster);
  expect(await timeline()).toEqual(before);
});

test("etcd that is gone and cannot be started for 25 s costs no write either, and the agent brings it back by itself", async () => {
  const postmaster = await postmasterPid(home.root);
  writers.forEach((writer) => writer.mark());
  // A configuration that is not there: the agent starts it again and again, and each time it ends at once.
  const file = `${home.paths.etc}/etcd.yml`;
  await rename(file, `${file}.away`);
  try {
    process.kill((await home.pid("etcd"))!, "SIGKILL");
    await sleep(25_000);
    expect(await home.pid("etcd")).toBeUndefined();
  } finally {
    await rename(`${file}.away`, file);
    await chmod(file, 0o600);
  }
  await waitUntil(async () => (await home.pid("etcd")) !== undefined, { timeout: 60, what: "etcd runs again" });
  await expectNoWriteFailed("etcd absent for 25 s", postmaster);
});
