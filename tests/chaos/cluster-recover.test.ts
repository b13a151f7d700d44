import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { sleep } from "../../src/core/clock.ts";
import { ask } from "../harness/clients.ts";
import { checkout, TestHome } from "../harness/home.ts";
import { archiveAll, Remains } from "../harness/lost-home.ts";
import { expectWhole } from "./whole-cluster.ts";

const DIGEST = "SELECT count(*)::int AS n, md5(string_agg(word, '' ORDER BY n)) AS all FROM item";

let remains: Remains;
let source: TestHome;
let home: TestHome;
let url: string;
let rows: unknown;

/** Milliseconds that a recovery takes here. */
let took = 12_000;

beforeAll(async () => {
  remains = await Remains.folder("Canary of the kit 3Xk9Vb");
  source = await TestHome.up();
  url = (await source.createDatabase("shop")).pooled_url;
  await ask(url, "CREATE TABLE item AS SELECT n, md5(n::text) AS word FROM generate_series(1, 20000) n");
  await source.ok("db", "backup", "full");
  await ask(url, "INSERT INTO item SELECT n, md5(n::text) FROM generate_series(20001, 30000) n");
  rows = await ask(url, DIGEST);
  await remains.makeKit(source);
  await archiveAll(source);
  await remains.lose(source);
});

afterEach(async () => {
  await home?.destroy();
});

afterAll(async () => {
  await source?.destroy();
  await remains?.remove();
});

const flagsFor = (repository: string) => ["up", ...home.upFlags(), ...remains.flags(repository), "--force"];

/** The same command again, and everything that was there is there. */
async function recoverAgain(repository: string): Promise<void> {
  const begun = performance.now();
  const again = await home.run(flagsFor(repository), { timeout: 300 });
  expect(again.exitCode, again.stderr).toBe(0);
  took = performance.now() - begun;
  const moved = url.replace(`:${source.port(6432)}/`, `:${home.port(6432)}/`);
  expect(await ask(moved, DIGEST)).toEqual(rows);
  await expectWhole(home);
}

describe("cluster.recover", () => {
  test.each(["restore-files", "replay-wal", "hand-to-patroni"])(
    "killed after the effect of %s and asked again, the lost cluster is whole",
    async (step) => {
      home = await TestHome.empty();
      const repository = await remains.copy(step);
      const env = { HOMELAB_CRASH_AT: `cluster.recover:${step}:after-effect` };
      const { signal, stderr } = await home.run(flagsFor(repository), { env });
      expect(signal, stderr).toBe("SIGKILL");
      await recoverAgain(repository);
      console.log(`chaos: cluster.recover killed at ${step}: asked again, done in ${(took / 1000).toFixed(1)} s`);
    },
  );

  test.each([0.4, 1])("after a power cut at %d of its time the same command brings all of it back", async (share) => {
    home = await TestHome.empty();
    const repository = await remains.copy(`cut-${share}`);
    const up = spawn(join(checkout, "homelab"), ["--home", home.root, ...flagsFor(repository)], {
      stdio: "ignore",
      detached: true,
      env: { PATH: process.env["PATH"]!, HOME: process.env["HOME"] ?? "/" },
    });
    const ended = new Promise((resolve) => up.once("exit", resolve));
    await sleep(took * share);
    if (up.exitCode === null) process.kill(-up.pid!, "SIGKILL");
    await ended;
    await home.killEverything();
    await recoverAgain(repository);
  });
});
