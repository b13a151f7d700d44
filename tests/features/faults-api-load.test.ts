import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Api } from "../harness/api.ts";
import type { TestHome } from "../harness/home.ts";
import { homeWithHub, ownerOf } from "../harness/people.ts";

let home: TestHome;
let owner: Api;
const sockets: Socket[] = [];

beforeAll(async () => {
  home = await homeWithHub();
  owner = await ownerOf(home);
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await home.destroy();
});

/** A connection that says this much, then one more letter a second; `cut` is when the hub ended it, in seconds. */
interface Slow {
  socket: Socket;
  cut: number | undefined;
  answer: string;
}

const head = "POST /api/databases HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

/** Many connections of a kind, opened some at a time; from 16 addresses, since one has not so many ports to spare. */
async function open(count: number, first: string): Promise<Slow[]> {
  const all: Slow[] = [];
  for (let i = 0; i < count; i++) {
    const socket = connect({ host: "127.0.0.1", port: home.port(5000), localAddress: `127.0.8.${1 + (i % 16)}` });
    const slow: Slow = { socket, cut: undefined, answer: "" };
    const begun = performance.now();
    socket.on("error", () => {});
    socket.on("data", (chunk) => (slow.answer += chunk.toString("latin1")));
    socket.on("close", () => (slow.cut = (performance.now() - begun) / 1000));
    if (first) socket.write(first);
    all.push(slow);
    sockets.push(socket);
    if (i % 100 === 99) await pause(20);
  }
  return all;
}

/** Goes on to say one letter a second, until it is told to end. */
async function drip(slow: Slow[], letter: string, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    for (const { socket } of slow) if (!socket.destroyed) socket.write(letter);
    await pause(1000);
  }
}

const megabytes = async (): Promise<number> => {
  const { text } = await owner.get("/metrics");
  return Number(/^homelab_process_resident_memory_bytes (\d+)/m.exec(text)![1]) / 1e6;
};

/** Milliseconds that an answer takes, asked again and again. */
async function delays(path: string, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const begun = performance.now();
    expect((await owner.get(path)).status).toBe(200);
    times.push(performance.now() - begun);
    await pause(20);
  }
  return times.sort((a, b) => a - b);
}

const median = (sorted: number[]): number => sorted[Math.floor(sorted.length / 2)]!;

test("F91: beside 2,000 slow senders and 1,000 who say nothing others are served at once, and those are cut off", async () => {
  const before = await megabytes();
  const end = new AbortController();
  const slowHeads = await open(1000, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
  const slowBodies = await open(1000, `${head}Content-Length: 100000\r\n\r\n{"database_name":"`);
  const silent = await open(1000, "");
  const drips = [drip(slowHeads, "a", end.signal), drip(slowBodies, "a", end.signal)];
  const during = await delays("/healthz", 100);
  const reports = await delays("/api/databases", 20);
  expect(median(during), "median of /healthz").toBeLessThan(200);
  expect(median(reports), "median of a list").toBeLessThan(500);
  expect((await megabytes()) - before).toBeLessThan(150);
  const isCut = (all: Slow[]) => all.filter(({ cut }) => cut !== undefined).length;
  for (let i = 0; i < 45 && isCut([...slowHeads, ...slowBodies, ...silent]) < 3000; i++) await pause(1000);
  end.abort();
  await Promise.all(drips);
  expect([isCut(slowHeads), isCut(slowBodies), isCut(silent)]).toEqual([1000, 1000, 1000]);
  // headersTimeout and requestTimeout, and the interval at which the server looks.
  expect(Math.max(...[...slowHeads, ...silent].map(({ cut }) => cut!))).toBeLessThan(20);
  expect(Math.max(...slowBodies.map(({ cut }) => cut!))).toBeLessThan(45);
  const refused = [...slowHeads, ...slowBodies].filter(({ answer }) => answer.startsWith("HTTP/1.1 408 "));
  expect(refused.length).toBeGreaterThan(0);
  expect((await delays("/healthz", 20)).at(-1)).toBeLessThan(1000);
}, 120_000);

test("F91: bodies that nest 100,000 deep, and heads and lengths that contradict themselves, cost nothing", async () => {
  const key = await home.secret("dashboard_api_key");
  const begun = performance.now();
  for (let i = 0; i < 50; i++) {
    const body = (i % 2 ? "[" : '{"a":').repeat(i % 2 ? 100_000 : 40_000);
    const answer = await owner.ask("POST", "/api/databases", { body, headers: { "content-type": "application/json" } });
    expect(answer.status).toBe(400);
  }
  expect((performance.now() - begun) / 50).toBeLessThan(100);
  const smuggled = [
    `${head}X-API-Key: ${key}\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `${head}X-API-Key: ${key}\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} `,
    `${head}X-API-Key: ${key}\r\nContent-Length: -1\r\n\r\n`,
    `${head}X-API-Key: ${key}\r\nContent-Length: 1e3\r\n\r\n`,
    `${head}X-API-Key: ${key}\r\nTransfer-Encoding: xchunked\r\n\r\n`,
    `${head}X-API-Key: ${key}\r\nTransfer-Encoding : chunked\r\n\r\n`,
    `${head}X-API-Key: ${key}\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n`,
    `GET /healthz HTTP/1.1\nHost: localhost\n\n`,
    `GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n`,
    `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
  ];
  for (const bytes of smuggled) {
    const [one] = await open(1, bytes);
    for (let i = 0; i < 50 && one!.cut === undefined; i++) await pause(50);
    expect(one!.answer, bytes.slice(-60)).toMatch(/^(HTTP\/1\.1 [45]\d\d [^]*)?$/);
    expect(one!.cut, bytes.slice(-60)).toBeDefined();
  }
  expect(
    (await owner.get("/api/databases")).json<{ items: { name: string }[] }>().items.map(({ name }) => name),
  ).not.toContain("a");
});
