import { existsSync, readdirSync, statSync } from "node:fs";
import { chown, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { runAsOwner } from "../bench/as-owner.ts";
import { ask, askAsSuperuser } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";
import { S3Server } from "../harness/s3-server.ts";
import { filesHolding } from "../harness/sweep.ts";

interface Listed {
  name: string;
  place: string;
  encrypted: boolean;
  backups: number;
  trouble: string | null;
  hint: string | null;
  last_archived_at: string | null;
}

let home: TestHome;
let s3: S3Server;
let url: string;

beforeAll(async () => {
  s3 = await S3Server.start();
  home = await TestHome.up();
  url = (await home.createDatabase("shop")).connection_url;
  await ask(url, "CREATE TABLE kept (n int PRIMARY KEY)");
});
afterAll(async () => {
  await home?.destroy();
  await s3?.destroy();
});

const storage = async (): Promise<Listed[]> =>
  (await home.ok("storage", "list", "--json")).json<{ items: Listed[] }>().items;
const repository = async (name: string): Promise<Listed> => (await storage()).find((each) => each.name === name)!;
const addS3 = (...more: string[]) => home.run(["storage", "add", "s3", "offsite", ...s3.flags, ...more]);

/** The name of the segment that is written now, which is then full. */
async function endSegment(): Promise<string> {
  const [row] = await askAsSuperuser<{ name: string }>(
    home,
    "SELECT pg_walfile_name(pg_current_wal_lsn()) AS name, pg_create_restore_point('end of a segment')",
  );
  await askAsSuperuser(home, "SELECT pg_switch_wal()");
  return row!.name;
}

/** The names of everything below a folder. */
const below = (folder: string): string[] =>
  existsSync(folder) ? (readdirSync(folder, { recursive: true }) as string[]) : [];

const isIn = (folder: string, segment: string): boolean => below(folder).some((path) => path.includes(segment));
const arrives = (folder: string, segment: string, timeout = 150) =>
  waitUntil(async () => isIn(folder, segment), { timeout, every: 100, what: `${segment} arrives in ${folder}` });

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

const leftovers = (): string[] =>
  [...readdirSync(home.paths.state), ...readdirSync(home.paths.run)].filter((name) =>
    /^(storage-keys|pgbackrest-only)/.test(name),
  );

describe("a place that cannot keep backups is not taken, and the reason is told", () => {
  const refused = async (words: Promise<Awaited<ReturnType<TestHome["run"]>>>, says: RegExp) => {
    const { exitCode, stderr } = await words;
    expect(stderr).toMatch(says);
    expect(exitCode).toBe(1);
    expect((await storage()).map(({ name }) => name)).toEqual(["local"]);
    expect(leftovers()).toEqual([]);
  };
  const wrongKeys = async (text: string) => {
    const file = join(s3.folder, "wrong-keys");
    await writeFile(file, text);
    return ["--keys-file", file];
  };

  test("a name that is not known", () =>
    refused(addS3("--endpoint", "nowhere.invalid"), /the name nowhere\.invalid is not known/));

  test("a port on which nobody listens", () => refused(addS3("--port", "9"), /localhost:9 refuses connections/));

  test("a certificate of an unknown CA", () =>
    refused(
      home.run([
        "storage",
        "add",
        "s3",
        "offsite",
        ...s3.flags.filter((_, i, all) => all[i] !== "--ca-file" && all[i - 1] !== "--ca-file"),
      ]),
      /comes from a CA that is not known here/,
    ));

  test("a certificate that has expired", async () => {
    await s3.setExpired(true);
    await refused(addS3(), /certificate of localhost:\d+ has expired/);
    await s3.setExpired(false);
  });

  test("a wrong secret, and a key that is not known", async () => {
    await refused(addS3(...(await wrongKeys(`${s3.key}\nanother-secret\n`))), /SignatureDoesNotMatch/);
    await refused(addS3(...(await wrongKeys(`NOBODY\n${s3.secret}\n`))), /does not know the access key/);
  });

  test("a bucket that is not there", () => refused(addS3("--bucket", "nothing-there"), /no bucket nothing-there/));

  test("a clock that is wrong", async () => {
    await s3.tell({ clockAhead: 3_600_000 });
    await refused(addS3(), /clocks of this machine and of localhost:\d+ differ/);
    await s3.tell({ clockAhead: 0 });
  });

  test("no room, and no right to delete", async () => {
    await s3.tell({ full: true });
    await refused(addS3(), /could not be written: the store behind localhost:\d+ is full/);
    await s3.tell({ full: false, keepsAll: true });
    await refused(addS3(), /could not be deleted.*may not do this/);
    await s3.tell({ keepsAll: false });
  });

  test("a folder that cannot be written, lies within another one of ours, or is no path", async () => {
    await refused(
      home.run(["storage", "add", "disk", "other", "--path", "/proc/backups"]),
      /is not there|may not be written/,
    );
    await refused(home.run(["storage", "add", "disk", "other", "--path", home.paths.backups]), /keeps its backups in/);
    await refused(
      home.run(["storage", "add", "disk", "other", "--path", join(home.paths.postgresData, "b")]),
      /one within the other/,
    );
  });
});

describe("a bucket as the second repository", () => {
  test("a dry run takes nothing and leaves no key behind", async () => {
    const { exitCode, stdout } = await addS3("--dry-run");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("see a segment of WAL arrive in offsite");
    expect(leftovers()).toEqual([]);
    expect(await storage()).toHaveLength(1);
  });

  test("is added once WAL arrives there; its secret is where it belongs and nowhere else", async () => {
    const added = await addS3();
    expect(added.stderr).toContain("offsite keeps WAL from now on");
    expect(added.exitCode).toBe(0);
    expect(await repository("offsite")).toMatchObject({ encrypted: true, trouble: null });
    expect(leftovers()).toEqual([]);
    const { repositories } = JSON.parse(await readFile(home.paths.storage, "utf8")) as {
      repositories: { name: string; cipher_pass: string }[];
    };
    const passphrase = repositories.find(({ name }) => name === "offsite")!.cipher_pass;
    expect(filesHolding(home.root, { secret: s3.secret, passphrase })).toEqual({
      "storage.json": ["secret", "passphrase"],
      "etc/pgbackrest.conf": ["secret", "passphrase"],
    });
    const shown = await home.ok("op", "list", "--json");
    expect(shown.stdout + added.stdout + added.stderr).not.toContain(s3.secret);
    expect((await home.ok("storage", "test", "offsite")).stdout).toContain("pgBackRest reads it");
  });

  test("gets backups and WAL as the first does, and its files can be restored", async () => {
    await ask(url, "INSERT INTO kept SELECT generate_series(1, 1000)");
    const made = await home.ok("db", "backup", "full", "--json");
    const { backups } = made.json<{ result: { backups: { repository: string; fault: string | null }[] } }>().result;
    expect(backups).toMatchObject([
      { repository: "local", fault: null },
      { repository: "offsite", fault: null },
    ]);
    expect((await storage()).map(({ name, backups: count }) => [name, count])).toEqual([
      ["local", 1],
      ["offsite", 1],
    ]);
    const segment = await endSegment();
    await arrives(s3.objects, segment);
    expect(isIn(home.paths.backups, segment)).toBe(true);
    const folder = await restoreFiles(2);
    expect(await readFile(join(folder, "PG_VERSION"), "utf8")).toMatch(/^\d+\n$/);
    expect(existsSync(join(folder, "global", "pg_control"))).toBe(true);
    await rm(folder, { recursive: true });
  });

  test("holds nothing that could be read without its passphrase", () => {
    expect(filesHolding(s3.objects, { manifest: "[backup:target]", info: "backup-timestamp" })).toEqual({});
  });
});

describe("giving a repository up", () => {
  test("needs its name typed where it holds backups; what is there stays, and can be taken again with its passphrase", async () => {
    const refused = await home.run(["storage", "remove", "offsite"]);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(/holds 1 backup/);
    const before = below(s3.objects).length;
    const removed = await home.ok("storage", "remove", "offsite", "--confirm", "offsite");
    expect(removed.stderr).toContain(`What is there stays: s3://localhost:${s3.port}/backups/homelab`);
    expect((await storage()).map(({ name }) => name)).toEqual(["local"]);
    expect(below(s3.objects)).toHaveLength(before);
    expect(filesHolding(home.root, { secret: s3.secret })).toEqual({});
    expect((await addS3()).exitCode).toBe(0);
    expect(await repository("offsite")).toMatchObject({ backups: 1, trouble: null });
  });

  test("is refused for the only one, and for the only one that holds a backup", async () => {
    await home.ok("storage", "add", "disk", "other", "--path", join(home.root, "other"));
    await home.ok("storage", "remove", "offsite", "--yes");
    const refused = await home.run(["storage", "remove", "local", "--yes"]);
    expect(refused.stderr).toMatch(/only local has a backup that can be had back.*--repository other/s);
    expect(refused.exitCode).toBe(4);
    await home.ok("storage", "remove", "other");
    const last = await home.run(["storage", "remove", "local", "--yes"]);
    expect(last.stderr).toMatch(/local is the only repository/);
    expect(last.exitCode).toBe(4);
  });

  test("there are four of them at most", async () => {
    for (const name of ["two", "three", "four"])
      await home.ok("storage", "add", "disk", name, "--path", join(home.root, name));
    const fifth = await home.run(["storage", "add", "disk", "five", "--path", join(home.root, "five")]);
    expect(fifth.stderr).toMatch(/4 repositories already/);
    expect(existsSync(join(home.root, "five"))).toBe(false);
  });
});
