import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sleep, waitUntil } from "../../src/core/clock.ts";
import { exists } from "../../src/host/files.ts";
import { runAny } from "../../src/host/run.ts";
import { readInstallation } from "../../src/site/installation.ts";
import { ask, askAsSuperuser } from "../harness/clients.ts";
import { checkout, QUIET, TestHome } from "../harness/home.ts";

/** How many instants of the first `up` are tried; 20 for a long run. */
const KILLS = Number(process.env["HOMELAB_BOOTSTRAP_KILLS"] ?? 6);

/** Milliseconds that a first `up` takes on this machine now: the instants are spread over them. */
let firstUp = 3600;

/** Begins the first `up` and kills it, with everything that it has started, after `ms`. */
async function powerCut(home: TestHome, ms: number): Promise<void> {
  const up = spawn(join(checkout, "homelab"), ["--home", home.root, "up", ...home.upFlags()], {
    stdio: "ignore",
    detached: true,
    // Not this process's own variables: whatever begins with HOMELAB_ is a setting, and an unknown one is refused.
    env: { PATH: process.env["PATH"]!, HOME: process.env["HOME"] ?? "/", ...QUIET },
  });
  const ended = new Promise((resolve) => up.once("exit", resolve));
  await sleep(ms);
  // The group: the launcher has become the command, and what it calls goes with it.
  if (up.exitCode === null) process.kill(-up.pid!, "SIGKILL");
  else expect(up.exitCode, "it was under way, or through already").toBe(0);
  await ended;
  await home.killEverything();
}

/** Every relation read whole and every index compared with its table; without pg_amcheck, every page at least. */
async function checkIntegrity(home: TestHome): Promise<string> {
  const { machine } = (await readInstallation(home.paths))!;
  const amcheck = join(machine.programs.postgresBin, "pg_amcheck");
  if (!(await exists(amcheck))) {
    await askAsSuperuser(home, "SELECT count(*) FROM pg_class, LATERAL pg_relation_size(oid)");
    return "read";
  }
  const { exitCode, stdout, stderr } = await runAny({
    argv: [
      amcheck,
      "--all",
      "--install-missing",
      "--heapallindexed",
      `--host=${home.paths.run}`,
      "--username=postgres",
    ],
    env: {
      PATH: process.env["PATH"]!,
      PGPORT: String(home.port(5431)),
      PGPASSWORD: await home.secret("superuser"),
      PGDATABASE: "postgres",
    },
    timeout: 120,
  });
  expect(exitCode, stdout + stderr).toBe(0);
  return "pg_amcheck";
}

test("a reboot loses nothing: everything is killed at once, up brings the same data back", async () => {
  const begun = performance.now();
  const home = await TestHome.up();
  firstUp = performance.now() - begun;
  try {
    const { pooled_url: url, password } = await home.createDatabase("shop");
    await ask(url, "CREATE TABLE item AS SELECT n, md5(n::text) AS hash FROM generate_series(1, 20000) n");
    const digest = "SELECT count(*)::int AS n, md5(string_agg(hash, '' ORDER BY n)) AS all FROM item";
    const before = await ask(url, digest);
    await home.killEverything();
    // What a reboot leaves besides: stale pid files and sockets, of processes that are long gone.
    expect((await home.run(["status"])).exitCode).toBe(6);
    await home.ok("up");
    expect(await ask(url, digest)).toEqual(before);
    expect((await home.createDatabase("shop")).password).toBe(password);
    await checkIntegrity(home);
    const health = await home.run(["health"]);
    expect(health.exitCode, health.stdout).toBe(0);
  } finally {
    await home.destroy();
  }
});

const instants = Array.from({ length: KILLS }, (_, i) => i + 1);

test.each(instants)("F83: after power cut %i in the first up, up again makes a sound cluster", async (i) => {
  const ms = Math.round(((i - 0.3) / KILLS) * firstUp);
  const home = await TestHome.empty();
  try {
    await powerCut(home, ms);
    const marked = await exists(home.paths.bootstrapped);
    const begun = await exists(home.paths.postgresData);
    await home.ok("up", ...home.upFlags());
    const [row] = await askAsSuperuser(home, "SELECT current_setting('data_checksums') AS checksums");
    expect(row).toEqual({ checksums: "on" });
    const { pooled_url: url } = await home.createDatabase("shop");
    await ask(url, "CREATE TABLE item AS SELECT n FROM generate_series(1, 1000) n");
    expect(await ask(url, "SELECT count(*)::int AS n FROM item")).toEqual([{ n: 1000 }]);
    const how = await checkIntegrity(home);
    let last = "";
    const isWell = async () => {
      const { exitCode, stdout } = await home.run(["health"]);
      last = stdout;
      return exitCode === 0;
    };
    await waitUntil(isWell, { timeout: 30, every: 500, what: "all is well", why: async () => last });
    const found = marked ? "a finished bootstrap" : begun ? "a half-made data directory" : "no data directory";
    console.log(`power cut at ${ms} ms left ${found}: up again is sound (${how})`);
  } finally {
    await home.destroy();
  }
});
