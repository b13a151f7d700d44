import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { Api } from "../harness/api.ts";
import type { TestHome } from "../harness/home.ts";
import { browser, homeWithHub, makeAdmin, makeKey, ownerOf } from "../harness/people.ts";

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
