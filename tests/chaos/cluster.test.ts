import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { homeFolders } from "../../src/cluster/home.ts";
import { isBracket, type AnyOperation } from "../../src/operations/operation.ts";
import { clusterConverge } from "../../src/operations/cluster/converge.ts";
import { clusterCreate } from "../../src/operations/cluster/create.ts";
import { modeOf } from "../../src/host/files.ts";
import { signalProcess } from "../../src/host/processes.ts";
import { TestHome } from "../harness/home.ts";
import { Worker } from "./client.ts";

/** Each step once, right after its effect and before its line; brackets by what is inside them. */
const stepsOf = (operation: AnyOperation): string[] =>
  operation.steps.flatMap((item) =>
    isBracket(item) ? [item.name, ...item.steps.map((step) => step.name)] : [item.name],
  );

let home: TestHome;

afterEach(async () => {
  await home?.destroy();
});

/** Runs `up` with a crash at one step; answers whether it died there, or had nothing to do. */
async function upDyingAt(operation: string, step: string): Promise<boolean> {
  const env = { HOMELAB_CRASH_AT: `${operation}:${step}:after-effect` };
  const { signal, exitCode, stderr } = await home.run(["up", ...home.upFlags()], { env });
  expect(signal === "SIGKILL" || exitCode === 137 || exitCode === 0, stderr).toBe(true);
  return exitCode !== 0;
}

/** What has to be true of a home that is up, whatever happened on the way. */
async function expectWhole(): Promise<void> {
  const status = await home.ok("status", "--json");
  expect(status.json<{ state: string }>().state).toBe("ok");
  for (const { path, mode } of homeFolders(home.paths)) expect(await modeOf(path), path).toBe(mode);
  const again = await home.ok("up", ...home.upFlags(), "--json");
  expect(again.json<{ changed: string[] }>().changed).toEqual([]);
  const runs = (await home.ok("op", "list", "--json")).json<{ items: { state: string }[] }>().items;
  expect(runs.filter(({ state }) => state === "running")).toEqual([]);
  expect((await home.createDatabase("probe")).user).toBe("probe_app");
  const checksums = await home.ok("health", "--json");
  const facts = checksums.json<{ checks: { name: string; facts?: { checksums?: string } }[] }>().checks;
  expect(facts.find(({ name }) => name === "postgres")?.facts?.checksums).toBe("on");
}

describe("cluster.create", () => {
  test.each(stepsOf(clusterCreate))(
    "killed after the effect of %s and begun again, the cluster is whole",
    async (step) => {
      home = await TestHome.empty();
      const died = await upDyingAt("cluster.create", step);
      console.log(`chaos: cluster.create killed at ${step}: ${died ? "died" : "had nothing to do"}`);
      await home.ok("up", ...home.upFlags());
      await expectWhole();
    },
  );
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
      if (await upDyingAt("cluster.converge", step)) died += 1;
      await home.ok("up", ...home.upFlags());
      await expectWhole();
      const shown = await home.run(["db-shell", "postgres"], { input: "SHOW max_connections;\n" });
      expect(shown.stdout).toContain(String(200 + round));
    }
    console.log(`chaos: cluster.converge: ${stepsOf(clusterConverge).length} points, died at ${died}, all ended whole`);
    expect(died).toBeGreaterThan(7);
  }, 600_000);
});
