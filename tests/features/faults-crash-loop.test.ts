import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sleep, waitUntil } from "../../src/core/clock.ts";
import { postmasterPid } from "../harness/engines.ts";
import { TestHome } from "../harness/home.ts";
import { Writer } from "../harness/writer.ts";

let home: TestHome;
let writer: Writer;
let direct: string;

beforeAll(async () => {
  home = await TestHome.up();
  const urls = await home.createDatabase("shop");
  direct = urls.connection_url;
  writer = await Writer.start(urls.pooled_url);
});
afterAll(async () => {
  await writer?.stop();
  await home.destroy();
});

interface Report {
  state: string;
  checks: { name: string; state: string; says: string; hint?: string }[];
}

test("F02: a PostgreSQL that cannot start is told with its reason, and comes back by itself once the cause is gone", async () => {
  // What Patroni keeps of the administrator's own settings; it writes postgresql.conf anew at each start.
  const settings = join(home.paths.postgresData, "postgresql.base.conf");
  const good = await readFile(settings, "utf8");
  await appendFile(settings, "\nfoobar = baz\n");
  writer.mark();
  process.kill((await postmasterPid(home.root))!, "SIGKILL");

  let report: Report | undefined;
  const told = async () => {
    const health = await home.run(["health", "--json"]);
    report = health.json<Report>();
    return health.exitCode === 6;
  };
  await waitUntil(told, { timeout: 60, what: "health says that it is down" });
  // It stays so, and nobody calls it well in between.
  for (let look = 0; look < 4; look++) {
    await sleep(1500);
    expect(await told(), JSON.stringify(report)).toBe(true);
    const postgres = report!.checks.find((check) => check.name === "postgres")!;
    expect(postgres.state).toBe("down");
    expect(postgres.hint).toContain("homelab logs postgres");
  }
  const patroni = report!.checks.find((check) => check.name === "patroni")!;
  console.log(`crash loop: health says "${patroni.says}"`);
  expect(patroni.state).toBe("down");
  const status = await home.run(["status"]);
  expect(status.exitCode).toBe(6);
  expect(status.stdout).toContain("UNHEALTHY");
  const logs = await Promise.all(["postgres", "patroni"].map(async (name) => (await home.ok("logs", name)).stdout));
  expect(logs.join("\n")).toContain('unrecognized configuration parameter "foobar"');

  await writeFile(settings, good);
  const repaired = performance.now();
  const wellAgain = async () => (await home.run(["health"])).exitCode === 0;
  await waitUntil(wellAgain, { timeout: 90, what: "it came back by itself" });
  await writer.isWriting();
  const ledger = await writer.ledger(direct);
  const after = ((performance.now() - repaired) / 1000).toFixed(1);
  console.log(
    `gap: crash loop ${writer.gap().toFixed(1)} s, back ${after} s after the repair, lost ${ledger.lost.length}`,
  );
  expect(ledger).toMatchObject({ lost: [], unexpected: [] });
});
