import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { signalProcess } from "../../src/host/processes.ts";
import { clusterConverge } from "../../src/operations/cluster/converge.ts";
import { TestHome } from "../harness/home.ts";
import { Worker } from "./client.ts";
import { expectWhole, stepsOf, upDyingAt } from "./whole-cluster.ts";

let home: TestHome;

afterEach(async () => {
  await home?.destroy();
});

/** Something to do for every step of a converge that can have something to do. */
async function drift(round: number): Promise<void> {
  await writeFile(
    home.paths.settings,
    (await readFile(home.paths.settings, "utf8")).replace(/\npostgres:[^]*$/, "\n") +
      `\npostgres:\n  extra:\n    max_connections: ${200 + round}\n`,
  );
  const worker = new Worker(home);
  await worker.ask({ do: "sql", text: "DROP SCHEMA IF EXISTS pgbouncer CASCADE" });
  await worker.ask({ do: "sql", text: "ALTER ROLE jarvis NOLOGIN" });
  await worker.ask({ do: "sql", text: `CREATE DATABASE by_hand_${round}` });
  await worker.end();
  await signalProcess(home.paths.run, "keeper", "SIGKILL");
  process.kill((await home.pid("agent"))!, "SIGKILL");
  await signalProcess(home.paths.run, "haproxy", "SIGKILL");
  await rm(join(home.paths.tls, "node.crt"));
  await chmod(home.paths.dumps, 0o755);
  const haproxy = join(home.paths.etc, "haproxy.cfg");
  await writeFile(haproxy, `${await readFile(haproxy, "utf8")}# a stranger was here\n`);
}

describe("cluster.converge", () => {
  test("killed after the effect of any step and begun again, the cluster is what its settings say", async () => {
    home = await TestHome.up();
    let died = 0;
    for (const [round, step] of stepsOf(clusterConverge).entries()) {
      await drift(round);
      if (await upDyingAt(home, "cluster.converge", step)) died += 1;
      await home.ok("up", ...home.upFlags());
      await expectWhole(home);
      const shown = await home.run(["db-shell", "postgres"], { input: "SHOW max_connections;\n" });
      expect(shown.stdout).toContain(String(200 + round));
    }
    console.log(`chaos: cluster.converge: ${stepsOf(clusterConverge).length} points, died at ${died}, all ended whole`);
    expect(died).toBeGreaterThan(7);
  }, 600_000);
});
