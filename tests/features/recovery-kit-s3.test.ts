import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";
import { archiveAll, Remains } from "../harness/lost-home.ts";
import { S3Server } from "../harness/s3-server.ts";

const DIGEST = "SELECT count(*)::int AS n, md5(string_agg(word, '' ORDER BY n)) AS all FROM item";

let s3: S3Server;
let home: TestHome;
let second: TestHome;
let remains: Remains;

beforeAll(async () => {
  remains = await Remains.folder("Canary of the kit 5Hd8Qz");
  s3 = await S3Server.start();
  home = await TestHome.up();
  second = await TestHome.empty();
});

afterAll(async () => {
  await home?.destroy();
  await second?.destroy();
  await remains?.remove();
  await s3?.destroy();
});

test("a machine that was lost with its disks is had back from S3, and backs up to both places again", async () => {
  await home.ok("storage", "add", "s3", "offsite", ...s3.flags);
  const { pooled_url: url } = await home.createDatabase("shop");
  await ask(url, "CREATE TABLE item AS SELECT n, md5(n::text) AS word FROM generate_series(1, 5000) n");
  await home.ok("db", "backup", "full");
  await ask(url, "INSERT INTO item SELECT n, md5(n::text) FROM generate_series(5001, 6000) n");
  const rows = await ask(url, DIGEST);
  await remains.makeKit(home);
  await archiveAll(home);
  await home.destroy();

  const flags = ["--recover", remains.kit, "--passphrase-file", remains.passphraseFile];
  const tested = await second.run(["platform", "kit", "--test", ...flags.slice(1), "--json"]);
  expect(tested.json()).toMatchObject({
    ok: false,
    repositories: [{ ok: false }, { repository: "offsite", ok: true }],
  });
  const done = await second.run(["up", ...second.upFlags(), ...flags, "--force", "--json"], { timeout: 300 });
  expect(done.exitCode, done.stderr).toBe(0);
  const told = done.json<{ seconds: number; bytes: number; segments: number; last_transaction_at: string }>();
  expect(told).toMatchObject({ repository: "offsite", databases: 1, logins_unknown: [] });
  console.log(
    `recovery from nothing, by S3: ${told.seconds} s for ${(told.bytes / 1e6).toFixed(1)} MB and ${told.segments} segments; back to ${told.last_transaction_at}`,
  );
  expect(await ask(url.replace(`:${home.port(6432)}/`, `:${second.port(6432)}/`), DIGEST)).toEqual(rows);
  const backups = (await second.ok("db", "list-backups", "--json")).json<{
    items: { repository: string; type: string; fault: string | null }[];
  }>();
  // The one on the disk was lost: it begins anew, with a full one.
  const there = backups.items.map(({ repository, type }) => `${repository} ${type}`);
  expect(there).toEqual(expect.arrayContaining(["local full", "offsite full", "offsite incr"]));
  expect(backups.items.filter(({ fault }) => fault !== null)).toEqual([]);
});
