import { once } from "node:events";
import { open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { Api } from "../harness/api.ts";
import { askAsSuperuser } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";
import { archivedSegments, backupPids, filesBelow, makeOlder, startPgbackrest } from "../harness/pgbackrest.ts";

interface Listed {
  label: string;
  type: string;
  checked: boolean;
  fault: string | null;
  note: string | null;
}

interface Check {
  name: string;
  state: string;
  says: string;
}

/** Full backups by themselves, and nothing else: what is made is to be known. */
const TIMETABLE = {
  HOMELAB_DATABASE__BACKUP_SCHEDULE_FULL: "0 2 * * *",
  HOMELAB_DATABASE__BACKUP_RETENTION_FULL: "3",
};

let home: TestHome;
let api: Api;

beforeAll(async () => {
  home = await TestHome.empty();
  const up = await home.run(["up", ...home.upFlags()], { env: TIMETABLE });
  if (up.exitCode !== 0) throw new Error(up.stderr);
  api = Api.socket(home);
});
afterAll(() => home?.destroy());

const backups = async (): Promise<Listed[]> =>
  (await home.ok("db", "list-backups", "--json")).json<{ items: Listed[] }>().items;
const fulls = async () => (await backups()).filter(({ type }) => type === "full");

async function check(name: string): Promise<Check> {
  const { checks } = (await home.run(["health", "--json"])).json<{ checks: Check[] }>();
  return checks.find((each) => each.name === name)!;
}

/** Waits for what the timetable makes by itself. */
const until = <T>(what: string, probe: () => Promise<T | undefined | false>) =>
  waitUntil(probe, { timeout: 150, every: 300, what });

/** Writes something, and waits until its WAL is archived. */
async function archiveSome(times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const [row] = await askAsSuperuser<{ segment: string }>(
      home,
      "SELECT pg_walfile_name(pg_current_wal_lsn()) AS segment FROM pg_logical_emit_message(true, 'test', repeat('x', 1000))",
    );
    await askAsSuperuser(home, "SELECT pg_switch_wal()");
    await until(`${row!.segment} is archived`, async () =>
      (await archivedSegments(home)).some((path) => path.includes(row!.segment)),
    );
  }
}

describe("the timetable", () => {
  test("makes the first full backup by itself, once, and says when the next one comes", async () => {
    const [first] = await until("the first backup", async () => {
      const list = await backups();
      return list.length > 0 && list;
    });
    expect(first).toMatchObject({ type: "full", checked: true });
    const { items } = (await home.ok("op", "list", "--json")).json<{
      items: { operation: string; caller: string }[];
    }>();
    expect(items.filter(({ operation }) => operation === "backup.create")).toMatchObject([{ caller: "schedule" }]);
    const seen = (await home.ok("db", "schedule", "show", "--json")).json<{
      due: unknown;
      rows: { work: string; schedule: string; next_at: string | null; last_at: string | null }[];
    }>();
    expect(seen.due).toBeNull();
    const row = (work: string) => seen.rows.find((each) => each.work === work)!;
    expect(Date.parse(row("full").next_at!)).toBeGreaterThan(Date.now());
    expect(new Date(row("full").next_at!).getHours()).toBe(2);
    expect(row("full").last_at).not.toBeNull();
    expect(row("incr")).toMatchObject({ schedule: "off", next_at: null });
  });

  test("db status says in one sentence what can be had back", async () => {
    await archiveSome(1);
    const status = await home.run(["db", "status"]);
    expect(status.stdout).toMatch(/^Recoverable {3}any second from \S+Z to \S+Z \(.* ago\)$/m);
    expect(status.stdout).toMatch(/^Last proven {3}never$/m);
    expect(status.stdout).toMatch(/^Archiving {5}ok, last WAL [0-9A-F]{24}/m);
    expect(status.stdout).toMatch(/^Backup {8}full .* ago · next full /m);
    expect(status.stdout).toMatch(/DATABASES 0/);
    const { state } = (await home.run(["db", "status", "--json"])).json<{ state: string }>();
    expect(status.exitCode).toBe({ ok: 0, degraded: 5, unknown: 5, down: 6 }[state]);
  });

  test("a database has its newest backup, and one that was made since has none", async () => {
    await home.createDatabase("older");
    await home.ok("db", "backup", "incr");
    await home.createDatabase("younger");
    const { items } = (await home.ok("db", "list", "--json")).json<{
      items: { name: string; last_backup_at: string | null }[];
    }>();
    const last = (name: string) => items.find((each) => each.name === name)!.last_backup_at;
    expect(last("older")).not.toBeNull();
    expect(last("younger")).toBeNull();
    const summary = (await api.get("/api/summary")).json<{ last_backup_at: string }>();
    expect(summary.last_backup_at).toBe(last("older"));
  });

  test("its numbers are there for Prometheus", async () => {
    const text = await until("the numbers", async () => {
      const answer = await api.get("/metrics");
      return answer.text.includes("homelab_backup_last_full_timestamp_seconds ") && answer.text;
    });
    for (const name of [
      ...["archive_last_age_seconds", "archive_ready_segments", "wal_archive_queue_bytes", "wal_free_bytes"],
      ...["backup_age_seconds", "recovery_point_age_seconds", "recovery_window_seconds", "backup_troubles"],
    ])
      expect(text, name).toMatch(new RegExp(`^homelab_${name} [0-9.e+-]+$`, "m"));
  });
});

describe("a backup that is disturbed", () => {
  test("F71: while another pgBackRest is at it, ours waits for its end, and a third one is told who is", async () => {
    const before = (await backups()).length;
    const stranger = startPgbackrest(home, "--type=full", "backup");
    const ended = once(stranger, "exit");
    await until("the stranger has begun", async () => {
      return backupPids(home).length > 1;
    });
    const frozen = backupPids(home);
    for (const pid of frozen) process.kill(pid, "SIGSTOP");
    const ours = home.run(["db", "backup", "incr", "--json"]);
    const running = await until("ours waits", async () => {
      const { items } = (await api.get("/api/operations?limit=1")).json<{
        items: { id: string; state: string; operation: string; current_step: string | null }[];
      }>();
      return items[0]!.state === "running" && items[0]!.current_step === "copy" && items[0];
    });
    const third = await api.post("/api/backups", { type: "full" });
    expect([third.status, third.code]).toEqual([423, "busy"]);
    expect(third.text).toContain(running.id);
    for (const pid of frozen) process.kill(pid, "SIGCONT");
    await ended;
    expect((await ours).exitCode).toBe(0);
    expect((await backups()).length - before).toBe(2);
  });

  test("F69: killed in the middle of it, it leaves no half backup in the list, and the next one is whole", async () => {
    const before = (await backups()).map(({ label }) => label);
    const ours = home.run(["db", "backup", "full", "--json"]);
    const pids = await waitUntil(
      async () => {
        const found = backupPids(home);
        return found.length > 1 && found;
      },
      { timeout: 30, every: 10, what: "pgBackRest copies" },
    );
    for (const pid of pids) process.kill(pid, "SIGKILL");
    const failed = await ours;
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toContain("backup_failed");
    expect((await backups()).map(({ label }) => label)).toEqual(before);
    const next = await home.run(["db", "backup", "full", "--note", "after the kill"]);
    expect(next.exitCode, next.stderr).toBe(0);
    expect((await backups())[0]).toMatchObject({ note: "after the kill", checked: true });
    expect((await home.ok("logs", "pgbackrest", "--tail", "400")).stdout).toMatch(/backup command end: completed/);
  });
});

describe("what becomes of the repository", () => {
  test("F60: a flipped byte is found by the check, the backup is bad, good ones are pinned, and a new one is made", async () => {
    const [newest] = await fulls();
    const folder = join(home.paths.backups, "backup", "homelab", newest!.label);
    const files = (await filesBelow(folder)).filter((path) => !/manifest/.test(path));
    const sizes = await Promise.all(files.map(async (path) => ({ path, size: (await stat(path)).size })));
    await flipByte(sizes.toSorted((a, b) => b.size - a.size)[0]!.path);
    const begun = Date.now();
    const found = await home.run(["db", "check"]);
    const seconds = (Date.now() - begun) / 1000;
    expect(found.exitCode, found.stderr).toBe(6);
    expect(found.stdout).toContain(`local: ${newest!.label}: `);
    expect(found.stdout).toMatch(/corrupt/);
    expect((await check("backups")).state).toBe("down");
    expect((await home.run(["db", "status"])).exitCode).toBe(6);
    const healed = await until("a new full backup", async () => {
      const list = await fulls();
      return list[0]!.label !== newest!.label && list;
    });
    expect(healed[0]).toMatchObject({ checked: true });
    expect(healed.find(({ label }) => label === newest!.label)).toMatchObject({ checked: false });
    await until("health is well again", async () => (await check("backups")).state === "ok");
    console.log(`F60: a flipped byte found in ${seconds.toFixed(1)} s of reading: ${found.stdout.trim()}`);
  });

  test("F74: what will go next is said before, and why a good one stays that the number would let go", async () => {
    const preview = (await home.ok("db", "retention", "preview", "--json")).json<{
      keep: object;
      repositories: { going: { label: string; when: string }[]; pinned: { label: string; why: string }[] }[];
    }>();
    expect(preview.keep).toEqual({ full: 3, diff: 4, archive_days: 7 });
    const [local] = preview.repositories;
    const list = await fulls();
    const good = list.filter(({ checked }) => checked);
    // Four good ones would be one too many: it is told what the next one takes away.
    if (good.length > 3) expect(local!.going.map(({ label }) => label)).toContain(good[3]!.label);
    expect(local!.pinned.every(({ why }) => why !== "")).toBe(true);
    const shown = await home.ok("db", "retention", "preview");
    expect(shown.stderr).toContain("Kept are 3 full and 4 differential backups, and the WAL of 7 days.");
  });

  test("F61: a segment that is gone is named, the window is split there, and a new full backup is made by itself", async () => {
    await archiveSome(4);
    const segments = await archivedSegments(home);
    await makeOlder(segments, 600);
    const gone = segments.at(-3)!;
    const name = /([0-9A-F]{24})-/.exec(gone)![1]!;
    const [before] = await fulls();
    await rm(gone);
    const begun = Date.now();
    const alarm = await until("health names it", async () => {
      const seen = await check("backups");
      return seen.state === "down" && seen;
    });
    const seconds = (Date.now() - begun) / 1000;
    expect(alarm.says).toContain(`the WAL segment ${name} is missing`);
    const seen = (await api.get("/api/recovery-window")).json<{
      repositories: { windows: unknown[]; gaps: { first_missing: string; segments: number }[] }[];
    }>();
    expect(seen.repositories[0]!.gaps).toMatchObject([{ first_missing: name, segments: 1 }]);
    await until("a new full backup", async () => (await fulls())[0]!.label !== before!.label);
    await until("health is well again", async () => (await check("backups")).state === "ok");
    const after = (await api.get("/api/recovery-window")).json<typeof seen>();
    expect(after.repositories[0]!.windows.length).toBeGreaterThan(1);
    // One finding, one backup.
    const made = (await fulls()).length;
    await archiveSome(1);
    expect((await fulls()).length).toBe(made);
    console.log(`F61: a missing segment was reported after ${seconds.toFixed(1)} s`);
  });
});

async function flipByte(path: string): Promise<void> {
  await using file = await open(path, "r+");
  const { size } = await file.stat();
  const byte = Buffer.alloc(1);
  const at = Math.floor(size / 2);
  await file.read(byte, 0, 1, at);
  byte[0]! ^= 0xff;
  await file.write(byte, 0, 1, at);
}
