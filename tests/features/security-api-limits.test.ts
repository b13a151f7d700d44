import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { Api, sendRaw } from "../harness/api.ts";
import type { TestHome } from "../harness/home.ts";
import { homeWithHub, makeKey, ownerOf } from "../harness/people.ts";
import { documentedRoutes } from "../harness/routes.ts";

let home: TestHome;
let owner: Api;
let open: Api;

beforeAll(async () => {
  home = await homeWithHub();
  owner = await ownerOf(home);
  open = Api.network(home);
});
afterAll(() => home.destroy());

const MB = 1024 * 1024;

/** Memory of the hub in bytes (proc(5), VmRSS). */
const memory = async (): Promise<number> =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${await home.pid("hub")}/status`, "utf8"))![1]) * 1024;

/** Sends a body without end until the hub ends the connection, or answers somebody who listens; says how much went out. */
function flood(headers: string[], chunk: Buffer, listens: boolean): Promise<{ answer: string; sent: number }> {
  return new Promise((resolve) => {
    const socket = connect(home.port(5000), "127.0.0.1");
    let [answer, sent] = ["", 0];
    const more = (): void => {
      if (socket.destroyed || sent > 100 * MB || (listens && answer)) return;
      sent += chunk.length;
      const isTaken = socket.write(chunk);
      if (isTaken) setTimeout(more, listens ? 5 : 0);
      else socket.once("drain", more);
    };
    socket.on("data", (data) => (answer += data.toString("latin1")));
    socket.on("error", () => {});
    socket.setTimeout(3000, () => socket.destroy());
    socket.on("close", () => resolve({ answer, sent }));
    const head = ["POST /api/databases HTTP/1.1", "Host: localhost", "Content-Type: application/json", ...headers];
    socket.write(`${head.join("\r\n")}\r\n\r\n`, more);
  });
}

test("S26: a body of 100 MB is refused before it is read, with and without a word about its length", async () => {
  const before = await memory();
  const key = await home.secret("dashboard_api_key");
  const plain = Buffer.alloc(65536, "a");
  const chunked = Buffer.from(`10000\r\n${plain.toString()}\r\n`);
  for (const credentials of [[], [`X-API-Key: ${key}`]])
    for (const [header, chunk] of [
      [`Content-Length: ${100 * MB}`, plain],
      ["Transfer-Encoding: chunked", chunked],
    ] as const) {
      const told = await flood([...credentials, header], chunk, true);
      expect(told.answer, header).toMatch(/^HTTP\/1\.1 413 [^]*"code":"body_too_large"/);
      expect(told.sent, header).toBeLessThan(5 * MB);
      // Whoever does not listen loses the answer with the connection.
      expect((await flood([...credentials, header], chunk, false)).sent, header).toBeLessThan(20 * MB);
    }
  expect((await memory()) - before).toBeLessThan(60 * MB);
  expect((await open.get("/healthz")).status).toBe(200);
});

test("S26: a compressed body is not unpacked", async () => {
  const bomb = gzipSync(Buffer.alloc(50 * MB, " "));
  const before = await memory();
  for (const encoding of ["gzip", "deflate", "br", "gzip, gzip"]) {
    const headers = { "content-type": "application/json", "content-encoding": encoding };
    expect([400, 415]).toContain((await owner.ask("POST", "/api/databases", { body: bomb, headers })).status);
  }
  expect((await memory()) - before).toBeLessThan(40 * MB);
});

test("S26: what nests too deep, is no JSON or holds no text in UTF-8 is refused at once", async () => {
  const deep = (begin: string, end: string, n: number) => `${begin.repeat(n)}1${end.repeat(n)}`;
  const bodies = [
    deep("[", "]", 33),
    deep("[", "]", 100_000),
    deep('{"a":', "}", 100),
    deep('{"a":', "}", 40_000),
    "[".repeat(200_000),
  ];
  const broken = ["{", "nul", "{'a':1}", '{"a":1}}', "\u0000", '"\ud800', "NaN", '{"a":1,}', "01", "/* */{}"];
  for (const body of [...bodies, ...broken]) {
    const begun = performance.now();
    const answer = await owner.ask("POST", "/api/databases", { body, headers: { "content-type": "application/json" } });
    expect([answer.status, answer.code], body.slice(0, 30)).toEqual([400, "request_malformed"]);
    expect(performance.now() - begun, body.slice(0, 30)).toBeLessThan(1000);
  }
  for (const body of ["null", "[]", "1", '"text"', "true"]) {
    const answer = await owner.ask("POST", "/api/databases", { body, headers: { "content-type": "application/json" } });
    expect(answer.status, body).toBe(422);
  }
});

test("S26: heads of 16 KB are the largest, and pages, waits and tails have an end", async () => {
  expect((await open.get("/healthz", { "x-long": "a".repeat(20_000) })).status).toBe(431);
  expect((await open.get(`/${"a".repeat(20_000)}`)).status).toBe(431);
  const many = Array.from({ length: 3000 }, (_, i) => `X-${i}: 1`).join("\r\n");
  expect(await sendRaw(home, `GET /healthz HTTP/1.1\r\nHost: localhost\r\n${many}\r\n\r\n`)).toMatch(
    /^HTTP\/1\.1 (431|200)/,
  );
  const lists = (await documentedRoutes(home)).filter(({ query }) => query.includes("limit"));
  expect(lists.length).toBeGreaterThan(8);
  for (const { path } of lists) {
    for (const limit of ["0", "-1", "1001", "1e9", "NaN", "Infinity", "0x10", "1.5", "", "1;2", "%EF%BC%91"])
      expect([422, limit === "0x10" ? 200 : 422], `${path} ${limit}`).toContain(
        (await owner.get(`${path}?limit=${limit}`)).status,
      );
    for (const cursor of ["x", "W10", "a".repeat(301), Buffer.from('[{"$gt":""},"x"]').toString("base64url")])
      expect((await owner.get(`${path}?cursor=${cursor}`)).status, `${path} ${cursor.slice(0, 20)}`).toBe(422);
    expect((await owner.get(`${path}?limit=1&limit=2`)).status, path).toBe(422);
  }
  const id = "op_00000000000000000000000000";
  for (const path of [
    `/api/operations/${id}?wait=301`,
    `/api/operations/${id}?wait=-1`,
    "/api/logs/hub?tail=5001",
    "/api/logs/hub?since=9999999d",
  ])
    expect((await owner.get(path)).status, path).toBe(422);
});

test("S26: one caller follows 50 streams at most, is told when to come back, and takes no place from others", async () => {
  const [one, other] = [
    open.withKey(await makeKey(owner, "streams", ["read"])),
    open.withKey(await makeKey(owner, "other", ["read"])),
  ];
  const streams = await Promise.all(Array.from({ length: 50 }, () => one.stream("/api/events")));
  expect(new Set(streams.map(({ status }) => status))).toEqual(new Set([200]));
  const refused = await one.get("/api/events");
  expect([refused.status, refused.code]).toEqual([429, "too_many_requests"]);
  expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
  const another = await other.stream("/api/events");
  expect(another.status).toBe(200);
  another.close();
  streams[0]!.close();
  const again = async () => {
    const stream = await one.stream("/api/events");
    stream.close();
    return stream.status === 200;
  };
  await waitUntil(again, { timeout: 5, what: "a place is free again" });
  for (const stream of streams) stream.close();
});
