import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { run } from "../../src/host/run.ts";
import { askAsSuperuser } from "../harness/clients.ts";
import { Api } from "../harness/api.ts";
import type { TestHome } from "../harness/home.ts";
import { browser, homeWithHub, makeAdmin, makeKey, ownerOf, passwordOf } from "../harness/people.ts";
import { holding } from "../harness/sweep.ts";

let home: TestHome;
let owner: Api;
let open: Api;

beforeAll(async () => {
  home = await homeWithHub();
  owner = await ownerOf(home);
  open = Api.network(home);
});
afterAll(() => home.destroy());

interface Key {
  name: string;
  prefix: string;
  key?: string;
  last_used_at: string | null;
  revoked_at: string | null;
}
const keys = async () => (await owner.get("/api/keys")).json<{ items: Key[] }>().items;
const status = async (key: string) => (await open.withKey(key).get("/api/session")).status;

test("S09: a key has at least 128 random bits, is shown once, and is looked up by a prefix", async () => {
  const texts = await Promise.all(Array.from({ length: 20 }, (_, i) => makeKey(owner, `one of many ${i}`, ["read"])));
  expect(new Set(texts).size).toBe(20);
  for (const text of texts) {
    const [, prefix, secret] = /^hl_([A-Za-z0-9]{8})_([A-Za-z0-9_-]+)$/.exec(text)!;
    expect(Buffer.from(secret!, "base64url").length * 8).toBeGreaterThanOrEqual(128);
    expect((await keys()).some((key) => key.prefix === prefix)).toBe(true);
  }
  const { text: list } = await owner.get("/api/keys?limit=1000");
  expect(texts.filter((text) => list.includes(text.slice(12)))).toEqual([]);
  expect(list).not.toMatch(/hash/);
});

test("S09: without a key, with a wrong one, or with one in another place nothing is told", async () => {
  const key = await makeKey(owner, "in the right place", ["admin"]);
  const wrong: Record<string, string>[] = [
    {},
    { "x-api-key": "" },
    { "x-api-key": `${key}x` },
    { "x-api-key": key.slice(0, -1) },
    { "x-api-key": key.toUpperCase() },
    { "x-api-key": `${key},${key}` },
    { authorization: `Basic ${Buffer.from(`x:${key}`).toString("base64")}` },
    { authorization: key },
    { cookie: `homelab_session=${key}` },
    { cookie: `__Host-homelab_session=${key}` },
  ];
  for (const headers of wrong) {
    const answer = await open.get("/api/databases", headers);
    expect([answer.status, answer.code], JSON.stringify(headers)).toEqual([401, "not_signed_in"]);
  }
  for (const name of ["key", "api_key", "apikey", "access_token", "X-API-Key"])
    expect((await open.get(`/api/databases?${name}=${encodeURIComponent(key)}`)).status, name).toBe(401);
  expect((await open.get("/api/databases", { authorization: `Bearer ${key}` })).status).toBe(200);
  // A wrong key beside a good cookie is somebody who does not know who he is.
  const token = await makeAdmin(home);
  expect((await browser(open, token).get("/api/session")).status).toBe(200);
  expect((await browser(open, token).withKey("wrong").get("/api/session")).status).toBe(401);
});

test("S09: a key does what its scopes say and nothing more, and makes none that may do more", async () => {
  const read = open.withKey(await makeKey(owner, "reader", ["read"]));
  expect((await read.get("/api/databases")).status).toBe(200);
  expect(await read.post("/api/databases", { database_name: "not_for_me" })).toMatchObject({ code: "not_allowed" });
  expect(await read.post("/api/keys", { name: "more", scopes: ["admin"] })).toMatchObject({ code: "not_allowed" });
  expect((await owner.get("/api/databases/not_for_me")).status).toBe(404);
});

test("S09: an expired key opens nothing, and none is made that has expired already", async () => {
  const soon = new Date(Date.now() + 1500).toISOString();
  const key = await makeKey(owner, "short lived", ["read"], soon);
  expect(await status(key)).toBe(200);
  await waitUntil(async () => (await status(key)) === 401, { timeout: 5, what: "the key expires" });
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(soon));
  const past = { name: "too late", scopes: ["read"], expires_at: "2020-01-01T00:00:00Z" };
  expect(await owner.post("/api/keys", past)).toMatchObject({ status: 422, code: "input_invalid" });
});

test("S09: the last use is shown", async () => {
  const key = await makeKey(owner, "used", ["read"]);
  const lastUse = async () => (await keys()).find(({ name }) => name === "used")!.last_used_at;
  expect(await lastUse()).toBeNull();
  await status(key);
  expect(Date.now() - Date.parse((await lastUse())!)).toBeLessThan(10_000);
});

test("S09: a revoked key opens nothing within a second, whatever is under way with it", async () => {
  const text = await makeKey(owner, "to be revoked", ["admin"]);
  const client = open.withKey(text);
  const [events, log] = [await client.stream("/api/events"), await client.stream("/api/logs/hub/events")];
  expect([events.status, log.status]).toEqual([200, 200]);
  let revoked = Infinity;
  const late: number[] = [];
  const racers = Array.from({ length: 8 }, async () => {
    for (let code = 200; code === 200;) {
      const begun = performance.now();
      code = (await client.get("/api/session")).status;
      if (code === 200 && begun > revoked) late.push(begun - revoked);
    }
  });
  await pause(300);
  expect((await owner.delete(`/api/keys/${text.split("_")[1]}`)).status).toBe(204);
  revoked = performance.now();
  await Promise.all(racers);
  expect(late.filter((ms) => ms > 1000)).toEqual([]);
  await waitUntil(async () => events.ended() && log.ended(), {
    timeout: 3,
    what: "the streams of the revoked key end",
  });
  expect((await owner.delete(`/api/keys/${text.split("_")[1]}`)).status).toBe(404);
});

test("S09: what pg_dump has of the platform's database opens nothing", async () => {
  const key = await makeKey(owner, "in the dump", ["admin"]);
  const user = { name: "grace", role: "admin", password: passwordOf("grace") };
  expect((await owner.post("/api/users", user)).status).toBe(201);
  const session = (await open.post("/api/session", { user_name: "grace", password: user.password })).headers[
    "set-cookie"
  ]!;
  const token = /=([^;]+)/.exec(session[0]!)![1]!;
  const database = (
    await owner.post("/api/databases", { database_name: "dumped" }, { "idempotency-key": "dumped" })
  ).json<{
    password: string;
  }>();
  const env = { PGPASSWORD: await home.secret("superuser"), PATH: process.env["PATH"]! };
  const to = ["-h", home.paths.run, "-p", String(home.port(5431)), "-U", "postgres", "homelab_jarvis"];
  const { stdout: dump } = await run({ argv: ["pg_dump", ...to], env });
  expect(dump).toContain("COPY public.api_keys");
  const secrets = { key, part: key.slice(12), token, password: user.password, app: database.password };
  expect(
    holding(dump, {
      ...secrets,
      dashboard: await home.secret("dashboard_api_key"),
      seal: await home.secret("hub_seal"),
    }),
  ).toEqual([]);
  const hashes = new Set(dump.match(/\b[0-9a-f]{64}\b/g));
  expect(hashes.size).toBeGreaterThan(2);
  let address = 0;
  for (const hash of [...hashes].slice(0, 40)) {
    const stranger = Api.network(home, `127.0.7.${(address++ % 200) + 1}`);
    expect((await stranger.withKey(hash).get("/api/session")).status).toBe(401);
    expect((await browser(stranger, hash).get("/api/session")).status).toBe(401);
  }
  const [stored] = await askAsSuperuser<{ password_hash: string }>(
    home,
    "SELECT password_hash FROM users WHERE name = 'grace'",
    "homelab_jarvis",
  );
  expect(stored!.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
});

test("S10: keys of any length are compared without an error, and a right prefix takes no longer than a wrong one", async () => {
  const key = await makeKey(owner, "measured", ["read"]);
  const prefix = key.slice(0, 12);
  const other = `hl_AAAAAAAA_`;
  const secret = "B".repeat(32);
  const times: Record<string, number[]> = { right: [], wrong: [] };
  for (let i = 0; i < 200; i++) {
    const stranger = Api.network(home, `127.0.${20 + Math.floor(i / 10)}.9`);
    for (const [name, text] of [
      ["right", prefix + secret],
      ["wrong", other + secret],
    ] as const) {
      const begun = performance.now();
      const answer = await stranger.withKey(text).get("/api/session");
      times[name]!.push(performance.now() - begun);
      expect(answer.status).toBe(401);
    }
  }
  const [right, wrong] = [median(times["right"]!), median(times["wrong"]!)];
  expect(Math.abs(right - wrong), `${right} ms against ${wrong} ms`).toBeLessThan(Math.max(1, wrong * 0.5));
  for (const text of ["x", "hl_", "ÿ", "é".repeat(100), "A".repeat(8000), `${prefix}${"C".repeat(1000)}`])
    expect(
      (await Api.network(home, "127.0.60.1").withKey(Buffer.from(text).toString("latin1")).get("/api/session")).status,
      text.slice(0, 20),
    ).toBe(401);
});

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
