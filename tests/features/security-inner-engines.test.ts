import { readFileSync } from "node:fs";
import { request as plainRequest } from "node:http";
import { request } from "node:https";
import { connect as connectTls, type SecureContextOptions } from "node:tls";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { issueCertificate, makeAuthority } from "../../src/engines/ca.ts";
import { certificateFiles } from "../../src/engines/tls.ts";
import { askAsSuperuser } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";

let home: TestHome;
/** The node's own certificate, what nobody has, and one of somebody else's authority with the same names. */
let own: SecureContextOptions;
let none: SecureContextOptions;
let foreign: SecureContextOptions;
let password: string;

beforeAll(async () => {
  home = await TestHome.up();
  const files = certificateFiles(home.paths);
  const ca = readFileSync(files.ca);
  own = { ca, cert: readFileSync(files.cert), key: readFileSync(files.key) };
  none = { ca };
  const authority = await makeAuthority("homelab", new Date());
  const pair = await issueCertificate(authority, { name: "node", dns: ["localhost"], ip: ["127.0.0.1"] }, new Date());
  foreign = { ca, cert: pair.certificate, key: pair.key };
  password = await home.secret("patroni_restapi");
});
afterAll(() => home.destroy());

interface Call {
  method?: string;
  body?: object;
  /** HTTP without TLS. */
  plain?: boolean;
  authorization?: string;
}

/** The status of a request, or why there was none. */
function status(port: number, path: string, tls: SecureContextOptions, call: Call = {}): Promise<number | string> {
  const body = call.body === undefined ? undefined : JSON.stringify(call.body);
  const headers = {
    "content-type": "application/json",
    ...(call.authorization ? { authorization: call.authorization } : {}),
  };
  const options = { host: "127.0.0.1", port, path, method: call.method ?? "GET", headers, agent: false, timeout: 5000 };
  return new Promise((resolve) => {
    const sent = call.plain ? plainRequest(options) : request({ ...options, ...tls });
    sent.on("response", (response) => resolve(response.resume().statusCode!));
    sent.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    sent.on("timeout", () => sent.destroy(new Error("no answer")));
    sent.end(body);
  });
}

const basic = (user: string, secret: string) => `Basic ${Buffer.from(`${user}:${secret}`).toString("base64")}`;
const base64 = (text: string) => Buffer.from(text).toString("base64");

const KEY_VALUE = { method: "POST", body: { key: base64("/planted"), value: base64("x") } };

test("S39: etcd answers nobody without a certificate of the cluster, over TLS or in plain text", async () => {
  const port = home.port(2379);
  for (const path of ["/v3/kv/range", "/v3/kv/put", "/v3/kv/deleterange", "/v3/maintenance/snapshot"]) {
    expect(await status(port, path, none, KEY_VALUE), path).toMatch(/ALERT|ECONNRESET|EPROTO/);
    expect(await status(port, path, foreign, KEY_VALUE), path).toMatch(/ALERT|ECONNRESET|EPROTO/);
    expect(await status(port, path, {}, { ...KEY_VALUE, plain: true }), path).toEqual(
      expect.toSatisfy((answer: number | string) => answer === 400 || typeof answer === "string"),
    );
  }
  for (const path of ["/health", "/metrics", "/version"]) expect(await status(port, path, none)).not.toBe(200);
  expect(await status(port, "/v3/kv/range", own, KEY_VALUE)).toBe(200);
});

test("S39: among members, too, etcd asks for a certificate of the cluster", async () => {
  const port = home.port(2380);
  for (const tls of [none, foreign]) expect(await status(port, "/members", tls)).toMatch(/ALERT|ECONNRESET|EPROTO/);
  expect(await status(port, "/members", own)).toBe(200);
});

test("S42: no engine speaks a TLS older than 1.2", async () => {
  for (const standard of [2379, 2380, 8008]) {
    const reached = await new Promise((resolve) => {
      const socket = connectTls({
        ...own,
        host: "127.0.0.1",
        port: home.port(standard),
        minVersion: "TLSv1",
        maxVersion: "TLSv1.1",
        ciphers: "DEFAULT@SECLEVEL=0",
      });
      socket.on("secureConnect", () => resolve(socket.getProtocol()));
      socket.on("error", (error) => resolve(error.message));
    });
    expect(reached, String(standard)).not.toMatch(/^TLSv1/);
  }
});

const UNSAFE: [string, string, object?][] = [
  ["POST", "/restart", {}],
  ["POST", "/reload"],
  ["POST", "/reinitialize", {}],
  ["POST", "/switchover", { leader: "x" }],
  ["POST", "/failover", { candidate: "x" }],
  ["PATCH", "/config", { ttl: 21 }],
  ["PUT", "/config", {}],
  ["DELETE", "/switchover"],
  ["POST", "/sigterm"],
];

test.each(UNSAFE)("S40: %s %s needs the certificate and the password, both", async (method, path, body) => {
  const before = readFileSync(join(home.paths.postgresData, "postmaster.pid"), "utf8");
  const port = home.port(8008);
  const call = { method, body };
  const known = basic("homelab", password);
  const answers = {
    nothing: await status(port, path, none, call),
    "a wrong password": await status(port, path, own, { ...call, authorization: basic("homelab", "wrong") }),
    "the certificate alone": await status(port, path, own, call),
    "the password alone": await status(port, path, none, { ...call, authorization: known }),
    "a foreign certificate": await status(port, path, foreign, { ...call, authorization: known }),
  };
  for (const [given, answer] of Object.entries(answers)) {
    if (typeof answer === "number") expect([401, 403, 501], given).toContain(answer);
    else expect(answer, given).toMatch(/ALERT|ECONNRESET|EPROTO/);
  }
  expect(readFileSync(join(home.paths.postgresData, "postmaster.pid"), "utf8")).toBe(before);
});

test("S40: looking is free, tells no password, and changes nothing", async () => {
  const port = home.port(8008);
  for (const path of ["/patroni", "/cluster", "/config", "/health"]) expect(await status(port, path, none)).toBe(200);
  expect(await status(port, "/config", {}, { plain: true })).not.toBe(200);
  expect(await status(port, "/patroni", own)).toBe(200);
  expect(await askAsSuperuser(home, "SHOW max_connections")).toHaveLength(1);
});
