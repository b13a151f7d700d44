import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sampleTopology } from "../../tests/harness/sample-topology.ts";
import { connectionUrl, type UrlKind } from "./urls.ts";

const login = { database: "shop", user: "shop_app", password: "p4ss" };
const topology = sampleTopology();
const KINDS: UrlKind[] = ["pooled", "pooled_read_only", "direct", "direct_read_only"];
const verified = "?sslmode=verify-full&sslrootcert=%2Fsrv%2Fhomelab%2Fca.crt";

describe("connectionUrl", () => {
  test.each<[UrlKind, string]>([
    ["pooled", "postgresql://shop_app:p4ss@localhost:6432/shop"],
    ["pooled_read_only", "postgresql://shop_app:p4ss@localhost:6433/shop"],
    ["direct", `postgresql://shop_app:p4ss@localhost:5432/shop${verified}`],
    ["direct_read_only", `postgresql://shop_app:p4ss@localhost:5433/shop${verified}`],
  ])("of kind %s is %s", (kind, url) => expect(connectionUrl(topology, login, kind)).toBe(url));

  test("has the port of the installation", () => {
    expect(new URL(connectionUrl(sampleTopology("network: {port_offset: 1000}"), login, "pooled")).port).toBe("7432");
  });

  test.each(["localhost", "127.0.0.1", "127.3.2.1", "::1"])(
    "is plain for the pooler at %s, on this machine",
    (host) => {
      expect(new URL(connectionUrl(topology, login, "pooled", host)).search).toBe("");
    },
  );

  test.each(["192.168.1.10", "nas.lan", "fd00::10", "127.evil.example", "localhost.evil.example"])(
    "verifies the server everywhere else: %s",
    (host) => {
      for (const kind of KINDS)
        expect(new URL(connectionUrl(topology, login, kind, host)).searchParams.get("sslmode")).toBe("verify-full");
    },
  );

  test("verifies the server on the direct ports of this machine too", () => {
    for (const kind of ["direct", "direct_read_only"] as const)
      for (const host of ["localhost", "127.0.0.1", "::1"])
        expect(connectionUrl(topology, login, kind, host).endsWith(verified)).toBe(true);
  });

  test("takes the host of the settings unless another is given", () => {
    expect(new URL(connectionUrl(sampleTopology("network: {host: nas.lan}"), login, "direct")).hostname).toBe(
      "nas.lan",
    );
  });

  test("puts an IPv6 address into brackets", () => {
    expect(connectionUrl(topology, login, "direct", "fd00::10")).toContain("@[fd00::10]:5432/");
  });

  test("gives every special character back to whoever reads the URL", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.string({ minLength: 1 }),
        fc.string({ minLength: 1 }),
        (user, password, database) => {
          const url = new URL(connectionUrl(topology, { user, password, database }, "pooled", "nas.lan"));
          expect(decodeURIComponent(url.username)).toBe(user);
          expect(decodeURIComponent(url.password)).toBe(password);
          if (database !== "." && database !== "..") expect(decodeURIComponent(url.pathname.slice(1))).toBe(database);
          expect(url.hostname).toBe("nas.lan");
          expect(url.searchParams.get("sslmode")).toBe("verify-full");
        },
      ),
    );
  });

  test.each(["@", ":", "/", "?", "#", "%", " ", "[", "'", '"', "&", "ß", "\n"])("encodes %j", (character) => {
    const password = `a${character}b`;
    const url = connectionUrl(topology, { ...login, password }, "direct");
    expect(decodeURIComponent(new URL(url).password)).toBe(password);
    expect(url.split("@")).toHaveLength(2);
  });
});
