import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { commandOf } from "../../src/host/processes.ts";
import { ask } from "../harness/clients.ts";
import { pidsOf } from "../harness/engines.ts";
import { TestHome, type CliResult } from "../harness/home.ts";

let home: TestHome;
let firstUp: CliResult;

beforeAll(async () => {
  home = await TestHome.empty();
  firstUp = await home.run(["up", ...home.upFlags()]);
});
afterAll(() => home.destroy());

describe("up", () => {
  test("says what it will set up before the first step of it", () => {
    expect(firstUp.exitCode, firstUp.stderr).toBe(0);
    const plan = firstUp.stderr.indexOf("homelab will set up");
    expect(plan).toBeGreaterThanOrEqual(0);
    expect(plan).toBeLessThan(firstUp.stderr.indexOf("prepare folders"));
    for (const expected of [home.root, home.port(5432), home.port(6432), home.port(2379), home.port(5431)])
      expect(firstUp.stderr).toContain(String(expected));
  });

  test("prints where the ports are, as data, and nothing else on standard output", () => {
    const lines = firstUp.stdout.trim().split("\n");
    expect(lines.map((line) => line.split(" ")[0])).toEqual(["pooled", "direct", "home", "hub", "setup"]);
    expect(lines[0]).toContain(`localhost:${home.port(6432)}`);
  });

  test("changes nothing the second time, and says so", async () => {
    const pids = await servicePids();
    const again = await home.run(["up"]);
    expect(again.exitCode).toBe(0);
    expect(again.stderr).toContain("Up already: nothing to change");
    const { changed, ports } = (await home.ok("up", "--json")).json<{ changed: string[]; ports: object }>();
    expect(changed).toEqual([]);
    expect(ports).toMatchObject({ pooled: home.port(6432) });
    expect(await servicePids()).toEqual(pids);
  });

  test("does nothing in a dry run of a home that is not there yet", async () => {
    const other = await TestHome.empty();
    const dry = await other.run(["up", "--dry-run", ...other.upFlags()]);
    expect(dry.exitCode, dry.stderr).toBe(0);
    expect(readdirSync(join(other.root, ".."))).toEqual([]);
    await other.destroy();
  });
});

describe("down and up", () => {
  test("down leaves no process, status says so with exit code 6, and up brings the same data back", async () => {
    const { pooled_url: url } = await home.createDatabase("notes");
    await ask(url, "CREATE TABLE note (text text)");
    await ask(url, "INSERT INTO note VALUES ('still here')");
    const before = await servicePids();

    await home.ok("down");
    await expectNoProcessOf(home);
    for (const pid of Object.values(before)) expect(commandOf(pid!)).not.toContain(home.root);
    const status = await home.run(["status"]);
    expect(status.exitCode).toBe(6);
    expect(status.stdout).toContain("STOPPED");
    expect((await home.run(["down"])).stderr).toContain("Down already");
    expect((await home.run(["db", "list"])).exitCode).toBe(6);

    const up = await home.ok("up");
    expect(up.stderr).toContain("Up: ");
    expect(await ask(url, "SELECT text FROM note")).toEqual([{ text: "still here" }]);
    expect((await home.run(["status"])).exitCode).toBe(0);
  });
});

describe("a second home on the same machine", () => {
  test("runs beside the first one, with its own data, and goes without touching it", async () => {
    const pids = await servicePids();
    const other = await TestHome.up();
    try {
      const { pooled_url: url } = await other.createDatabase("notes");
      await expect(ask(url, "SELECT * FROM note")).rejects.toThrow(/does not exist/);
      await other.ok("down");
      await expectNoProcessOf(other);
      expect(await servicePids()).toEqual(pids);
      expect((await home.run(["status"])).exitCode).toBe(0);
    } finally {
      await other.destroy();
    }
  });
});

describe("what up refuses before it starts anything", () => {
  test("a taken port, with the port and the program that has it", async () => {
    const other = await TestHome.empty();
    const server = createServer().listen(other.port(6432), "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    try {
      const refused = await other.run(["up", ...other.upFlags()]);
      expect(refused.exitCode).toBe(2);
      expect(refused.stderr).toMatch(new RegExp(`${other.port(6432)} \\(pooled\\) by .*pid ${process.pid}`));
      expect(refused.stderr).toContain("--port-offset");
      expect(readdirSync(join(other.root, ".."))).toEqual([]);
    } finally {
      server.close();
      await other.destroy();
    }
  });

  test("a home whose path no socket fits into, with a hint", async () => {
    const { root } = home;
    const refused = await home.run(["--home", join(root, "..", "long".repeat(25)), "up", ...home.upFlags()]);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain("too long for a unix socket");
    expect(refused.stderr).toContain("shorter --home");
    expect(readdirSync(join(root, ".."))).toEqual(["home"]);
  });

  test("an unknown setting, with its line and column and the one that was meant", async () => {
    const file = join(home.root, "..", "typo.yaml");
    await writeFile(file, "# settings\nnetwork:\n  port_ofset: 7\n", { mode: 0o644 });
    for (const command of [["up"], ["config", "show"]]) {
      const refused = await home.run([...command, "--config", file]);
      expect(refused.exitCode).toBe(2);
      expect(refused.stderr).toContain("typo.yaml:3:3 network.port_ofset");
      expect(refused.stderr).toContain("did you mean port_offset?");
    }
  });

  test("inner ports that would move under a cluster that exists", async () => {
    const refused = await home.run(["up", "--port-offset", String(home.offset + 40)]);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain("cannot be changed once the cluster was made");
    expect((await home.ok("up", "--json")).json<{ changed: string[] }>().changed).toEqual([]);
  });
});

/** What was killed a moment ago may still be going: a second is enough for that. */
async function expectNoProcessOf(at: TestHome): Promise<void> {
  await waitUntil(async () => pidsOf(at.root).length === 0, {
    timeout: 1,
    what: "nothing is left",
    why: () => pidsOf(at.root).map(commandOf).join("; "),
  });
}

async function servicePids(): Promise<Record<string, number | undefined>> {
  const names = ["agent", "etcd", "patroni", "haproxy", "pgbouncer", "pgbouncer-ro"];
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await home.pid(name)])));
}
