import { existsSync, readdirSync, statSync } from "node:fs";
import { chown, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { runAny } from "../../src/host/run.ts";
import { runAsOwner } from "../bench/as-owner.ts";
import { ask, askAsSuperuser, connect } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";
import { S3Server } from "../harness/s3-server.ts";
import { Writer } from "../harness/writer.ts";

interface Window {
  repository: string;
  trouble: string | null;
  windows: { from: string; to: string; labels: string[] }[];
  gaps: object[];
}

let home: TestHome;
let s3: S3Server;
let url: string;

beforeAll(async () => {
  s3 = await S3Server.start();
  home = await TestHome.up();
  url = (await home.createDatabase("shop")).connection_url;
  await home.ok("storage", "add", "s3", "offsite", ...s3.flags);
  await home.ok("db", "backup", "full");
});
afterAll(async () => {
  await home?.destroy();
  await s3?.destroy();
});

/** What can be had back of a repository, as it is now. */
async function windowOf(name: string): Promise<Window> {
  const look = async () => {
    const report = JSON.parse((await home.run(["api", "GET", "/api/recovery-window"])).stdout || "{}") as {
      stale?: boolean;
      repositories?: Window[];
    };
    return report.stale === false && report.repositories?.find(({ repository }) => repository === name);
  };
  return waitUntil(look, { timeout: 60, every: 300, what: `what is in ${name} is known` });
}

/** Waits until a repository is found wanting, and answers why. */
async function troubleOf(name: string, pattern: RegExp): Promise<void> {
  let last: string | null = null;
  const look = async () => pattern.test((last = (await windowOf(name)).trouble) ?? "");
  await waitUntil(look, { timeout: 90, every: 500, what: `${name} is in trouble`, why: () => `it says: ${last}` });
}

const recovers = (name: string) =>
  waitUntil(async () => (await windowOf(name)).trouble === null, { timeout: 150, every: 500, what: `${name} is well` });

/** Ends the segment that is written now, and answers its name. */
async function endSegment(): Promise<string> {
  const [row] = await askAsSuperuser<{ name: string }>(
    home,
    "SELECT pg_walfile_name(pg_current_wal_lsn()) AS name, pg_create_restore_point('end of a segment')",
  );
  await askAsSuperuser(home, "SELECT pg_switch_wal()");
  return row!.name;
}

const isIn = (folder: string, segment: string): boolean =>
  existsSync(folder) && (readdirSync(folder, { recursive: true }) as string[]).some((path) => path.includes(segment));

/** Waits until a segment is in a folder, and answers the seconds that it took. */
async function arrives(folder: string, segment: string, timeout = 170): Promise<number> {
  const begun = performance.now();
  await waitUntil(async () => isIn(folder, segment), { timeout, every: 50, what: `${segment} arrives in ${folder}` });
  return (performance.now() - begun) / 1000;
}

/** Segments of WAL that wait to be archived. */
const queue = (): number =>
  readdirSync(join(home.paths.postgresData, "pg_wal", "archive_status")).filter((name) => name.endsWith(".ready"))
    .length;

/** The files of the newest backup of a repository, restored into a folder of its own. */
async function restoreFiles(number: number): Promise<string> {
  const { uid, gid } = statSync(home.root);
  const folder = await mkdtemp(join(home.root, "..", "restored-"));
  await chown(folder, uid, gid);
  const config = join(home.paths.etc, "pgbackrest.conf");
  // In the live cluster's spool it would sweep away what archiving waits for (measured: a minute's pause).
  const own = [`--pg1-path=${folder}`, `--spool-path=${join(home.paths.scratch, "spool")}`, "--archive-mode=off"];
  const words = [`--config=${config}`, "--stanza=homelab", `--repo=${number}`, ...own, "restore"];
  await runAsOwner({ uid, gid }, ["/usr/bin/pgbackrest", ...words]);
  return folder;
}

/** What a fault of the server looks like, and that it is over once it is over. */
async function during(fault: () => Promise<void>, mend: () => Promise<void>, says: RegExp): Promise<void> {
  await fault();
  try {
    await troubleOf("offsite", says);
    expect((await windowOf("offsite")).windows).toEqual([]);
    expect((await windowOf("local")).trouble).toBeNull();
  } finally {
    await mend();
  }
  await waitUntil(async () => (await windowOf("offsite")).windows.length > 0, {
    timeout: 60,
    every: 500,
    what: "offsite can be read again",
  });
}

test("a server that is away is named; commits go on, the other repository gets its WAL, and nothing is missing later", async () => {
  const writer = await Writer.start(url);
  await s3.tell({ away: true });
  writer.mark();
  const segment = await endSegment();
  const seconds = await arrives(home.paths.backups, segment);
  await troubleOf("offsite", /localhost:\d+ refuses connections/);
  expect((await windowOf("offsite")).windows).toEqual([]);
  expect((await windowOf("local")).windows).not.toEqual([]);
  await waitUntil(async () => queue() > 0, { timeout: 100, every: 100, what: "a segment waits" });
  const gap = writer.gap();
  const up = await home.ok("up", ...home.upFlags(), "--json");
  expect(up.exitCode).toBe(0);
  await s3.tell({ away: false });
  await arrives(s3.objects, segment);
  await recovers("offsite");
  expect((await windowOf("offsite")).gaps).toEqual([]);
  await writer.stop();
  expect(await writer.ledger()).toMatchObject({ lost: [], unexpected: [] });
  console.log(
    `a repository away: the other one had the segment after ${seconds.toFixed(1)} s, longest commit gap ${gap.toFixed(2)} s`,
  );
  expect(gap).toBeLessThan(10);
}, 420_000);

test("a certificate that has expired, a revoked key, and a bucket that is gone are each named", async () => {
  await during(
    () => s3.setExpired(true),
    () => s3.setExpired(false),
    /certificate of localhost:\d+ has expired/,
  );
  await during(
    () => s3.tell({ keys: { [s3.key]: "another secret" } }),
    () => s3.tell({ keys: { [s3.key]: s3.secret } }),
    /SignatureDoesNotMatch/,
  );
  await during(
    () => s3.setLost(true),
    () => s3.setLost(false),
    /no bucket backups.*NoSuchBucket/,
  );
});

test("a wrong passphrase is named, and the right one puts all in order", async () => {
  const right = await readFile(home.paths.storage, "utf8");
  const { uid, gid } = statSync(home.paths.storage);
  const use = async (text: string) => {
    await writeFile(home.paths.storage, text);
    await chown(home.paths.storage, uid, gid);
    await home.ok("up", ...home.upFlags());
  };
  const { repositories } = JSON.parse(right) as { repositories: { name: string; cipher_pass: string }[] };
  for (const each of repositories) if (each.name === "offsite") each.cipher_pass = "not the one that it was";
  await during(
    () => use(JSON.stringify({ repositories })),
    () => use(right),
    /cannot be decrypted with the passphrase/,
  );
});

test("F62: the first repository is lost; the second restores, it is said, and up prepares the first anew", async () => {
  const lost = performance.now();
  await rm(home.paths.backups, { recursive: true });
  await troubleOf("local", /it is empty|is not there/);
  expect((await windowOf("local")).windows).toEqual([]);
  const folder = await restoreFiles(2);
  const seconds = (performance.now() - lost) / 1000;
  expect(existsSync(join(folder, "global", "pg_control"))).toBe(true);
  await rm(folder, { recursive: true });
  await home.ok("up", ...home.upFlags());
  await home.ok("db", "backup", "full", "--repository", "local");
  expect((await windowOf("local")).windows).toHaveLength(1);
  await recovers("local");
  console.log(
    `F62: found, and the files of ${(await windowOf("offsite")).windows.length} window restored from the second repository in ${seconds.toFixed(1)} s`,
  );
});

/** The median and the 99th of a hundred, in milliseconds, of the commits of one client. */
async function commits(count: number): Promise<{ p50: number; p99: number }> {
  const rows: number[] = [];
  const client = await connect(url);
  for (let n = 0; n < count; n++) {
    const begun = performance.now();
    await client.query("INSERT INTO timed (body) VALUES (repeat('x', 100))");
    rows.push(performance.now() - begun);
  }
  await client.end();
  rows.sort((a, b) => a - b);
  return { p50: rows[Math.floor(count / 2)]!, p99: rows[Math.floor(count * 0.99)]! };
}

test("F76: a slow repository: commits are as fast as before, and the queue is told", async () => {
  await ask(url, "CREATE TABLE timed (body text)");
  await ask(url, "CREATE TABLE noise (body text)");
  const before = await commits(400);
  await s3.tell({ speed: 1_000_000 });
  // What cannot be compressed: some segments that a line of 1 MB/s takes minutes for.
  const noise = "SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 30000) GROUP BY 1 = 1";
  for (let i = 0; i < 60; i++) await ask(url, `INSERT INTO noise ${noise}`);
  const meanwhile = await commits(400);
  await waitUntil(async () => queue() >= 2, { timeout: 60, every: 100, what: "a queue grows" });
  const waiting = queue();
  await s3.tell({ speed: 0 });
  const segment = await endSegment();
  await arrives(s3.objects, segment);
  console.log(
    `F76: 1 MB/s: commits p50 ${before.p50.toFixed(2)} ms, p99 ${before.p99.toFixed(2)} ms before; p50 ${meanwhile.p50.toFixed(2)} ms, p99 ${meanwhile.p99.toFixed(2)} ms meanwhile; ${waiting} segments waited`,
  );
  expect(meanwhile.p50).toBeLessThan(before.p50 * 3 + 5);
});

/** A small disk of its own: only root may mount one, and not everywhere. */
async function smallDisk(megabytes: number): Promise<{ path: string; unmount(): Promise<void> } | undefined> {
  const { uid, gid } = statSync(home.root);
  const path = await mkdtemp(join(home.root, "..", "small-"));
  const options = `size=${megabytes}m,mode=0700,uid=${uid},gid=${gid}`;
  const mounted = await runAny({ argv: ["mount", "-t", "tmpfs", "-o", options, "tmpfs", path] });
  if (mounted.exitCode !== 0) {
    console.log(`SKIPPED F75: nothing can be mounted here: ${mounted.stderr.trim()}`);
    return undefined;
  }
  return { path, unmount: async () => void (await runAny({ argv: ["umount", "-l", path] })) };
}

test("F75: a repository's disk is full: it is told, the last good backup stays, and WAL arrives once there is room", async (context) => {
  const disk = await smallDisk(160);
  if (!disk) return context.skip();
  try {
    await ask(url, "DROP TABLE IF EXISTS noise");
    await ask(url, "CREATE TABLE noise (body text)");
    await waitUntil(async () => queue() === 0, { timeout: 90, every: 200, what: "nothing waits from before" });
    await home.ok("storage", "add", "disk", "small", "--path", disk.path);
    await home.ok("db", "backup", "full", "--repository", "small");
    const [good] = (await windowOf("small")).windows.flatMap(({ labels }) => labels);
    const ballast = join(disk.path, "ballast");
    await runAny({ argv: ["dd", "if=/dev/zero", `of=${ballast}`, "bs=1M"] });
    const noise =
      "INSERT INTO noise SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 30000) GROUP BY 1 = 1";
    for (let i = 0; i < 8; i++) await ask(url, noise);
    const segment = await endSegment();
    await troubleOf("small", /is full|has .* left/);
    await arrives(s3.objects, segment);
    await arrives(home.paths.backups, segment);
    const failed = await home.run(["db", "backup", "full", "--repository", "small"]);
    expect(failed.exitCode).toBe(1);
    expect((await windowOf("small")).windows.flatMap(({ labels }) => labels)).toContain(good);
    await rm(ballast);
    await arrives(disk.path, segment);
    await recovers("small");
    expect((await windowOf("small")).gaps).toEqual([]);
  } finally {
    await home.run(["storage", "remove", "small", "--yes"]);
    await disk.unmount();
  }
}, 420_000);
