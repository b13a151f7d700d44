import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeAuthority } from "../../src/engines/ca.ts";
import { checkout, TestHome } from "../harness/home.ts";
import { canMakeNetworks, TwoMachines } from "../harness/two-machines.ts";

if (!canMakeNetworks()) console.warn("S38 IS NOT TESTED HERE: network namespaces need root and ip(8).");

const PUBLIC = [5432, 5433, 6432, 6433];
/** The API: HTTP, with keys and sessions of its own. */
const HUB = 5000;

/** Tries every TCP port of an address and prints those that answer. */
const SCAN = `
  const { connect } = require("node:net");
  const open = [];
  let next = 1;
  const one = () => new Promise((done) => {
    const port = next++;
    const socket = connect({ host: process.argv[1], port, timeout: 3000 });
    socket.on("connect", () => { open.push(port); socket.destroy(); });
    socket.on("timeout", () => socket.destroy());
    socket.on("error", () => {}).on("close", done);
  });
  const lane = async () => { while (next <= 65535) await one(); };
  Promise.all(Array.from({ length: 200 }, lane)).then(() => console.log(JSON.stringify(open)));
`;

describe.runIf(canMakeNetworks())("from a neighbour in the same network", () => {
  let net: TwoMachines;
  let home: TestHome;
  let urls: Record<string, string>;

  /** A command of ours on the server. */
  async function homelab(...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await net.on(net.server, [
      join(checkout, "homelab"),
      "--home",
      home.root,
      ...args,
    ]);
    expect(exitCode, stderr).toBe(0);
    return stdout;
  }

  /** What psql says on the neighbour. */
  async function psql(conninfo: string, env: Record<string, string> = {}): Promise<string> {
    const argv = ["psql", "-XAtc", "SELECT session_user || ' in ' || current_database()", conninfo];
    const { stdout, stderr } = await net.on(net.neighbour, argv, { env: { PGCONNECT_TIMEOUT: "20", ...env } });
    return (stdout || stderr).trim();
  }

  const conninfo = (port: number, words: string) => `host=${net.serverAddress} port=${home.port(port)} ${words}`;

  beforeAll(async () => {
    net = await TwoMachines.make();
    home = await TestHome.empty();
    await homelab("up", "--listen", "private", "--port-offset", String(home.offset));
    await homelab("db", "create", "shop");
    urls = JSON.parse(await homelab("db", "url", "shop", "--json", "--host", net.serverAddress)) as Record<
      string,
      string
    >;
  });
  afterAll(async () => {
    await home?.destroy();
    await net?.destroy();
  });

  test("S38: of all TCP ports, only direct, direct-read-only, pooled, pooled-read-only and the hub answer", async () => {
    const { stdout, stderr } = await net.on(net.neighbour, [process.execPath, "-e", SCAN, net.serverAddress]);
    const open = JSON.parse(stdout || `"${stderr}"`) as number[];
    expect(open.sort((a, b) => a - b)).toEqual([...PUBLIC, HUB].map((port) => home.port(port)).sort((a, b) => a - b));
  });

  test("S38: plain text is refused on each of them, with the right password too", async () => {
    for (const port of PUBLIC) {
      const said = await psql(conninfo(port, "user=shop_app dbname=shop sslmode=disable"), {
        PGPASSWORD: urls["password"]!,
      });
      expect(said, String(port)).toMatch(/no pg_hba.conf entry|no encryption|login rejected|SSL required/);
    }
  });

  test("S38: with TLS and the password the URLs that were handed out work, and verify the server", async () => {
    const read = {
      connection_url: "shop_app",
      pooled_url: "shop_app",
      read_only_url: "shop_ro",
      pooled_read_only_url: "shop_ro",
    };
    for (const [kind, login] of Object.entries(read)) {
      expect(urls[kind]).toContain("sslmode=verify-full");
      expect(await psql(urls[kind]!), kind).toBe(`${login} in shop`);
    }
  });

  test("S42: the same URLs fail closed before another authority, another name and an older TLS", async () => {
    const other = join(home.root, "..", "other.crt");
    writeFileSync(other, (await makeAuthority("homelab", new Date())).certificate);
    for (const kind of ["connection_url", "pooled_url"]) {
      const url = urls[kind]!;
      expect(await psql(url.replace(/sslrootcert=[^&]+/, `sslrootcert=${encodeURIComponent(other)}`)), kind).toContain(
        "certificate verify failed",
      );
      const renamed = url.replace(`@${net.serverAddress}:`, "@evil.test:");
      expect(await psql(`${renamed}&hostaddr=${net.serverAddress}`), kind).toMatch(/does not match host name/);
      expect(await psql(`${url}&ssl_min_protocol_version=TLSv1&ssl_max_protocol_version=TLSv1.1`), kind).toMatch(
        /alert|protocol|SSL error/,
      );
    }
  });

  test("S38, S41: the superuser, replication and rewind stay out, with the right password and TLS", async () => {
    const logins = { postgres: "superuser", replicator: "replication", rewind: "rewind" };
    for (const [user, secret] of Object.entries(logins))
      for (const port of PUBLIC) {
        const env = { PGPASSWORD: await home.secret(secret) };
        const said = await psql(conninfo(port, `user=${user} dbname=postgres sslmode=require`), env);
        expect(said, `${user} on ${port}`).toMatch(
          /rejects connection|bouncer config error|no such user|authentication failed/,
        );
      }
    const replication = conninfo(5432, "user=replicator dbname=postgres replication=true sslmode=require");
    expect(await psql(replication, { PGPASSWORD: await home.secret("replication") })).toMatch(
      /no pg_hba.conf entry for replication connection/,
    );
  });

  test("S38, S43: the pooler's console stays closed to the neighbour, for an app and for the console's own name", async () => {
    const attempts = { pgbouncer: "pooler_auth", postgres: "superuser", pgbouncer_auth: "pooler_auth" };
    for (const [user, secret] of Object.entries(attempts)) {
      const said = await psql(conninfo(6432, `user=${user} dbname=pgbouncer sslmode=require`), {
        PGPASSWORD: await home.secret(secret),
      });
      expect(said, user).toMatch(/FATAL|error/);
    }
  });
});
