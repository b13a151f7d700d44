import type { FastifyRequest } from "fastify";
import { describe, expect, test } from "vitest";
import { sampleTopology } from "../../tests/harness/sample-topology.ts";
import { checkHost, checkOrigin } from "./guards.ts";

const topology = sampleTopology("network: {host: db.example.org}\nhub: {hosts: [homelab.example.net]}");

describe("S20: the Host header", () => {
  test.each([
    "127.0.0.1:5000",
    "[::1]:5000",
    "192.168.1.10",
    "localhost:5000",
    "nas",
    "nas.local",
    "NAS.LAN:80",
    "db.example.org",
    "HomeLab.example.net:443",
  ])("%s is ours", (host) => {
    expect(() => checkHost(host, topology)).not.toThrow();
  });

  test.each([
    "evil.test",
    "127.0.0.1.evil.test",
    "db.example.org.evil.test",
    "evil.test:5000",
    "",
    undefined,
    "localhost.evil.com",
  ])("%s is refused", (host) => {
    expect(() => checkHost(host, topology)).toThrow(expect.objectContaining({ code: "host_refused" }));
  });
});

const request = (method: string, headers: Record<string, string>) =>
  ({ method, headers, host: "nas:5000" }) as unknown as FastifyRequest;

describe("S18: a change", () => {
  test.each([{}, { origin: "http://nas:5000" }, { "sec-fetch-site": "same-origin" }, { "sec-fetch-site": "none" }])(
    "with %j is our own",
    (headers) => {
      expect(() => checkOrigin(request("POST", headers as Record<string, string>))).not.toThrow();
    },
  );

  test.each([
    { origin: "http://evil.test" },
    { origin: "null" },
    { origin: "http://nas:5001" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "cross-site", origin: "http://nas:5000" },
  ])("with %j is another site's", (headers) => {
    for (const method of ["POST", "PATCH", "PUT", "DELETE"])
      expect(() => checkOrigin(request(method, headers as Record<string, string>))).toThrow(
        expect.objectContaining({ code: "origin_refused" }),
      );
    expect(() => checkOrigin(request("GET", headers as Record<string, string>))).not.toThrow();
  });
});
