import { existsSync } from "node:fs";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { connect } from "../harness/clients.ts";
import { postmasterPid } from "../harness/engines.ts";
import { TestHome } from "../harness/home.ts";
import { Writer } from "../harness/writer.ts";

let home: TestHome;
let writers: Writer[];
let urls: Awaited<ReturnType<TestHome["createDatabase"]>>;

beforeAll(async () => {
  home = await TestHome.up();
  urls = await home.createDatabase("shop");
  writers = await Promise.all([Writer.start(urls.pooled_url), Writer.start(urls.connection_url)]);
});
afterAll(async () => {
  await Promise.all((writers ?? []).map((writer) => writer.stop()));
  await home.destroy();
});

/** A cgroup whose processes may use 100 MB, in either of the kernel's versions; undefined where we may not make one. */
async function smallGroup(): Promise<string | undefined> {
  const [v1, v2] = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"];
  const isV1 = existsSync(join(v1, "memory.limit_in_bytes"));
  const group = join(isV1 ? v1 : v2, `homelab-test-${process.pid}`);
  try {
    await mkdir(group);
    await writeFile(join(group, isV1 ? "memory.limit_in_bytes" : "memory.max"), "100000000");
    return group;
  } catch {
    return undefined;
  }
}

test("F08: a backend that is killed for want of memory costs no acknowledged row, and is told as that", async (context) => {
  const group = await smallGroup();
  if (!group) {
    expect(process.getuid!(), "root can make a memory cgroup").not.toBe(0);
    console.log("SKIPPED: only root can make a memory cgroup, so F08 was not tried");
    return context.skip();
  }
  try {
    const postmaster = await postmasterPid(home.root);
    const glutton = await connect(urls.connection_url);
    const { rows } = await glutton.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    await writeFile(join(group, "cgroup.procs"), String(rows[0]!.pid));
    writers.forEach((writer) => writer.mark());
    await glutton.query("SET work_mem = '1GB'");
    // A hash over a million wide rows: ten times what it may have.
    const join_ = `SELECT count(*) FROM (SELECT n, repeat(md5(n::text), 30) AS wide FROM generate_series(1, 1000000) n) a
                   JOIN (SELECT n, repeat(md5(n::text), 30) AS wide FROM generate_series(1, 1000000) n) b USING (n, wide)`;
    await expect(glutton.query(join_)).rejects.toThrow();

    await Promise.all(writers.map((writer) => writer.isWriting()));
    const ledgers = await Promise.all(writers.map((writer) => writer.ledger(urls.connection_url)));
    const [pooled, direct] = writers.map((writer) => writer.gap().toFixed(2));
    const lost = ledgers.flatMap((ledger) => [...ledger.lost, ...ledger.unexpected]);
    console.log(`gap: backend out of memory pooled ${pooled} s direct ${direct} s lost ${lost.length}`);
    expect(lost).toEqual([]);
    expect(await postmasterPid(home.root), "no failover, no restart of the postmaster").toBe(postmaster);

    const events = async () =>
      JSON.stringify((await home.run(["status", "--json"])).json<{ events: object[] }>().events);
    await waitUntil(async () => (await events()).includes("OOM"), {
      timeout: 20,
      what: "status says OOM",
      why: events,
    });
    expect(await readFile(join(home.paths.logs, "agent.log"), "utf8")).toContain("for want of memory");
  } finally {
    await waitUntil(async () => (await readFile(join(group, "cgroup.procs"), "utf8")) === "", {
      timeout: 20,
      what: "the cgroup is empty",
    });
    await rmdir(group);
  }
});
