import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Api, type ApiAnswer } from "../harness/api.ts";
import type { TestHome } from "../harness/home.ts";
import { cookieOf, homeWithHub, makeAdmin, makeKey, ownerOf, passwordOf } from "../harness/people.ts";

let home: TestHome;
/** The owner of the machine, past the proxy. */
let owner: Api;

beforeAll(async () => {
  home = await homeWithHub({ HOMELAB_HUB__TRUSTED_PROXIES: "[127.0.0.1]" });
  owner = await ownerOf(home, "127.0.0.2");
  await makeAdmin(home);
  for (const name of ["grace", "victim", "measured", "spoofed", "waiting"])
    expect((await owner.post("/api/users", { name, password: passwordOf(name) })).status).toBe(201);
});
afterAll(() => home.destroy());

/** Somebody whom the trusted proxy names. */
const from = (address: string) => Api.network(home).with({ "x-forwarded-for": address });
const login = (api: Api, user_name: string, password = "wrong") => api.post("/api/session", { user_name, password });
const statuses = (answers: ApiAnswer[]) => {
  const count = (status: number) => answers.filter((answer) => answer.status === status).length;
  return { tried: count(401), heldOff: count(429), other: answers.length - count(401) - count(429) };
};

/** Many requests, some at a time, as fast as they are answered. */
async function flood(count: number, ask: (i: number) => Promise<ApiAnswer>): Promise<ApiAnswer[]> {
  const answers: ApiAnswer[] = [];
  for (let i = 0; i < count; i += 20)
    answers.push(...(await Promise.all(Array.from({ length: 20 }, (_, j) => ask(i + j)))));
  return answers;
}

test("F99, S14: of a thousand tries at one account from one address five are looked at, at many accounts twenty", async () => {
  const one = await flood(1000, () => login(from("203.0.113.1"), "grace"));
  expect(statuses(one)).toEqual({ tried: 5, heldOff: 995, other: 0 });
  for (const { headers } of one.filter(({ status }) => status === 429)) {
    expect(Number(headers["retry-after"])).toBeGreaterThan(0);
    expect(Number(headers["retry-after"])).toBeLessThanOrEqual(300);
  }
  const many = await flood(1000, (i) => login(from("203.0.113.2"), `user-${i}`));
  expect(statuses(many)).toEqual({ tried: 20, heldOff: 980, other: 0 });
  // The right password is held off there as well: nobody learns by it that it was right.
  expect((await login(from("203.0.113.1"), "grace", passwordOf("grace"))).status).toBe(429);
  expect((await login(from("198.51.100.1"), "grace", passwordOf("grace"))).status).toBe(200);
});

test("F99, S14: a thousand tries from a hundred addresses get some more than a hundred, and the owner comes in from where he was", async () => {
  const known = from("198.51.100.7");
  expect((await login(known, "victim", passwordOf("victim"))).status).toBe(200);
  const attack = flood(1000, (i) => login(from(`203.0.113.${100 + (i % 100)}`), "victim"));
  const during = await login(known, "victim", passwordOf("victim"));
  const { tried, heldOff, other } = statuses(await attack);
  expect([tried <= 120, tried + heldOff, other]).toEqual([true, 1000, 0]);
  expect(during.status).toBe(200);
  expect((await login(known, "victim", passwordOf("victim"))).status).toBe(200);
  const stranger = await login(from("198.51.100.200"), "victim", passwordOf("victim"));
  expect([stranger.status, Number(stranger.headers["retry-after"]) <= 300]).toEqual([429, true]);
});

test("F99: while others guess, somebody who comes for the first time is told when to come back, and is let in then", async () => {
  const guesses = await flood(100, (i) => login(from(`203.0.114.${Math.floor(i / 5)}`), "waiting"));
  expect(statuses(guesses)).toEqual({ tried: 100, heldOff: 0, other: 0 });
  const first = await login(from("198.51.100.20"), "waiting", passwordOf("waiting"));
  expect(first.status).toBe(429);
  const wait = Number(first.headers["retry-after"]);
  expect(wait).toBeLessThanOrEqual(10);
  await pause(wait * 1000 + 100);
  expect((await login(from("198.51.100.20"), "waiting", passwordOf("waiting"))).status).toBe(200);
});

test("F99: of a thousand wrong keys from one address twenty are looked at; keys that are right work on from there", async () => {
  const right = await makeKey(owner, "behind the same address", ["read"]);
  const answers = await flood(1000, (i) =>
    from("203.0.115.1")
      .withKey(`hl_AAAAAAAA_${String(i).padStart(32, "x")}`)
      .get("/api/session"),
  );
  expect(statuses(answers)).toEqual({ tried: 20, heldOff: 980, other: 0 });
  expect((await from("203.0.115.1").withKey(right).get("/api/session")).status).toBe(200);
  expect((await from("203.0.115.2").withKey("wrong").get("/api/session")).status).toBe(401);
  expect((await owner.get("/api/session")).status).toBe(200);
});

test("S60: an X-Forwarded-For of a stranger counts for nothing, and of a trusted proxy for what the proxy itself added", async () => {
  const stranger = Api.network(home, "127.0.0.66");
  const rotating = (i: number) =>
    stranger.with({ "x-forwarded-for": `192.0.2.${i}`, "x-real-ip": `192.0.2.${i}`, forwarded: `for=192.0.2.${i}` });
  expect(statuses(await flood(40, (i) => login(rotating(i), "spoofed")))).toEqual({ tried: 5, heldOff: 35, other: 0 });
  const prepended = (i: number) => from(`192.0.2.${i}, 203.0.116.9`);
  expect(statuses(await flood(40, (i) => login(prepended(i), "spoofed")))).toEqual({ tried: 5, heldOff: 35, other: 0 });
  const network = (i: number) => from(`2001:db8:1:2::${(i + 1).toString(16)}`);
  expect(statuses(await flood(40, (i) => login(network(i), "spoofed")))).toEqual({ tried: 5, heldOff: 35, other: 0 });
  const mapped = (i: number) => from(i % 2 ? "203.0.116.20" : "::ffff:203.0.116.20");
  expect(statuses(await flood(40, (i) => login(mapped(i), "spoofed")))).toEqual({ tried: 5, heldOff: 35, other: 0 });
  await login(from("192.0.2.250, 203.0.116.77"), "spoofed", passwordOf("spoofed"));
  await login(stranger.with({ "x-forwarded-for": "192.0.2.251" }), "grace");
  const { text } = await owner.get("/api/audit?limit=1000");
  expect([text.includes('"203.0.116.77"'), text.includes('"127.0.0.66"')]).toEqual([true, true]);
  expect(text).not.toMatch(/"192\.0\.2\.\d+"/);
});

test("F99, S15: a wrong password takes as long for a user who is there as for one who is not", async () => {
  const times: Record<string, number[]> = { measured: [], nobody: [] };
  for (let i = 0; i < 60; i++)
    for (const name of i % 2 ? ["measured", "nobody"] : ["nobody", "measured"]) {
      const begun = performance.now();
      expect((await login(from(`198.18.${i}.1`), name, passwordOf("wrong"))).status).toBe(401);
      times[name]!.push(performance.now() - begun);
    }
  const [known, unknown] = [median(times["measured"]!), median(times["nobody"]!)];
  expect(Math.abs(known - unknown) / unknown, `${known} ms against ${unknown} ms`).toBeLessThan(0.4);
  expect(unknown).toBeGreaterThan(5);
});

test("S11: a hundred sign-ins at once take no more memory than a few, and end in an answer each", async () => {
  const before = await memory();
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, i) =>
      login(from(`198.19.${i % 250}.${Math.floor(i / 250)}`), "grace", passwordOf("grace")),
    ),
  );
  const done = answers.filter((answer) => cookieOf(answer) !== undefined);
  expect(done.length).toBeGreaterThanOrEqual(50);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
  expect((await memory()) - before).toBeLessThan(150);
});

/** The hub's own number of megabytes that it takes. */
async function memory(): Promise<number> {
  const { text } = await owner.get("/metrics");
  return Number(/^homelab_process_resident_memory_bytes (\d+)/m.exec(text)![1]) / 1e6;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
