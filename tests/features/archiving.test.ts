import { chmod, readFile, rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { Api } from "../harness/api.ts";
import { ask, askAsSuperuser } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";
import { LoopDisk } from "../harness/loop-disk.ts";
import { archivedSegments } from "../harness/pgbackrest.ts";

interface Check {
  name: string;
  state: string;
  says: string;
  facts: { waiting_segments: number; hours_left: number | null; waits_since: string | null; wal_free_bytes?: number };
}

/** A volume of its own for the WAL is small: what PostgreSQL keeps anyway has to fit. */
const SMALL = {
  HOMELAB_POSTGRES__EXTRA__MAX_WAL_SIZE: "64MB",
  HOMELAB_POSTGRES__EXTRA__MIN_WAL_SIZE: "32MB",
  HOMELAB_POSTGRES__EXTRA__WAL_KEEP_SIZE: "0",
};

let home: TestHome;
let api: Api;
let url: string;

beforeAll(async () => {
  home = await TestHome.empty();
  const up = await home.run(["up", ...home.upFlags()], { env: SMALL });
  if (up.exitCode !== 0) throw new Error(up.stderr);
  api = Api.socket(home);
  url = (await home.createDatabase("shop")).connection_url;
  await ask(url, "CREATE TABLE written (id int, at timestamptz DEFAULT now(), filler text)");
  await home.ok("db", "backup", "full");
});
afterAll(() => home?.destroy());

const repository = () => join(home.paths.backups, "archive");

async function check(name: string): Promise<Check> {
  const { checks } = (await api.get("/api/health")).json<{ checks: Check[] }>();
  return checks.find((each) => each.name === name)!;
}

const until = <T>(what: string, probe: () => Promise<T | undefined | false>, timeout = 150) =>
  waitUntil(probe, { timeout, every: 250, what });

async function write(megabytes: number): Promise<void> {
  await ask(
    url,
    `INSERT INTO written SELECT n, now(), pg_catalog.repeat(pg_catalog.md5(pg_catalog.random()::text), 32)
     FROM generate_series(1, ${megabytes * 1000}) n`,
  );
}

const recoverableTo = async () => Date.parse((await api.get("/api/recovery-window")).json<{ to: string }>().to);

test("a home whose schedules are off is well, and says that none is made by itself", async () => {
  const seen = await check("backups");
  expect(seen.state, seen.says).toBe("ok");
  expect(seen.says).toContain("off in the settings");
  expect((await check("archiving")).state).toBe("ok");
});

describe("F58: the repository takes no WAL any more", () => {
  let broken = 0;

  test("it is reported in time, in words, and the window ends where archiving did", async () => {
    await chmod(repository(), 0);
    broken = Date.now();
    await write(1);
    await askAsSuperuser(home, "SELECT pg_switch_wal()");
    const alarm = await until("the alarm", async () => {
      const seen = await check("archiving");
      return seen.state !== "ok" && seen;
    });
    const seconds = (Date.now() - broken) / 1000;
    // Twice the archive_timeout of the settings.
    expect(seconds).toBeLessThan(120);
    expect(alarm.says).toMatch(/segments? waits?|archiving fails/);
    expect((await home.run(["health"])).exitCode).toBeGreaterThan(4);
    console.log(`F58: alarm after ${seconds.toFixed(1)} s: ${alarm.says}`);
  });

  test("nothing is dropped: it catches up by itself, without a gap, and the window goes on", async () => {
    await write(40);
    await askAsSuperuser(home, "SELECT pg_switch_wal()");
    const waiting = await until("several wait", async () => {
      const seen = await check("archiving");
      return seen.facts.waiting_segments > 2 && seen;
    });
    expect(waiting.facts.hours_left).toBeGreaterThan(0);
    await chmod(repository(), 0o750);
    await until("it has caught up", async () => {
      const seen = await check("archiving");
      return seen.state === "ok" && seen.facts.waiting_segments === 0;
    });
    await until("the window goes on", async () => (await recoverableTo()) > broken);
    const { repositories } = (await api.get("/api/recovery-window")).json<{ repositories: { gaps: unknown[] }[] }>();
    expect(repositories[0]!.gaps).toEqual([]);
    const numbers = (await archivedSegments(home)).map((path) => Number.parseInt(/([0-9A-F]{8})-/.exec(path)![1]!, 16));
    expect(numbers).toEqual(numbers.map((_, i) => numbers[0]! + i));
  });
});

test("F59: no size is set at which WAL would be dropped", async () => {
  const { stdout } = await home.ok("config", "show", "--json");
  expect(stdout).not.toContain("queue");
  const conf = await readFile(join(home.paths.etc, "pgbackrest.conf"), "utf8");
  expect(conf).not.toContain("queue-max");
});

describe("F41: the WAL's own volume fills", () => {
  let disk: LoopDisk | undefined;
  afterAll(async () => {
    await home.killEverything();
    await disk?.unmount();
  });

  test("it is said before it is full, with the time that is left, and all that was written is there afterwards", async (context) => {
    disk = await LoopDisk.mount(home, 400);
    if (!disk) return context.skip("no loop device here");
    await home.ok("down");
    const wal = join(home.paths.postgresData, "pg_wal");
    await disk.take(wal);
    await rename(wal, `${wal}.before`);
    await symlink(disk.folder, wal);
    const again = await home.run(["up"], { env: SMALL });
    expect(again.exitCode, again.stderr).toBe(0);
    const apart = await until("the disk is seen", async () => {
      const seen = await check("disk");
      return seen.facts.wal_free_bytes !== undefined && seen;
    });
    expect(apart.says).toContain("for the WAL");
    const [{ count: before }] = (await ask<{ count: number }>(url, "SELECT count(*)::int AS count FROM written")) as [
      { count: number },
    ];
    await chmod(repository(), 0);
    let written = 0;
    const begun = Date.now();
    const alarm = await until("the alarm", async () => {
      if (written < 96) {
        await write(8);
        written += 8;
      }
      const [archive, room] = [await check("archiving"), await check("disk")];
      return archive.state === "down" && archive.facts.hours_left !== null && { archive, room };
    });
    const lead = alarm.archive.facts.hours_left! * 3600;
    expect(alarm.room.state).not.toBe("ok");
    // PostgreSQL lives: the alarm came before the end.
    expect(await ask(url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    const alarmed = Date.now();
    console.log(
      `F41: alarm ${((alarmed - begun) / 1000).toFixed(0)} s after the first byte, ${lead.toFixed(0)} s foretold: ${alarm.archive.says}`,
    );
    // Nobody listens to it.
    await until("PostgreSQL finds no space", async () => {
      const failed = await write(8).then(
        () => false,
        () => true,
      );
      if (!failed) written += 8;
      return failed;
    });
    const full = Date.now();
    await chmod(repository(), 0o750);
    const up = await home.run(["up"], { env: SMALL });
    expect(up.exitCode, up.stderr).toBe(0);
    const back = await until("it is back", async () => {
      const rows = await ask<{ count: number }>(url, "SELECT count(*)::int AS count FROM written").catch(() => []);
      return rows[0];
    });
    await until("it has caught up", async () => (await check("archiving")).state === "ok");
    // What was acknowledged is there; the last try may be, since its answer was lost.
    expect([before + written * 1000, before + (written + 8) * 1000]).toContain(back.count);
    console.log(
      `F41: full ${((full - alarmed) / 1000).toFixed(0)} s after the alarm, back ${((Date.now() - full) / 1000).toFixed(0)} s after that: ${/The disk of the WAL.*/.exec(up.stderr)?.[0] ?? "without the ballast"}`,
    );
  });
});
