import { describe, expect, test } from "vitest";
import { sampleMachine, sampleTopology } from "../../tests/harness/sample-topology.ts";
import { homeFolders, homePaths } from "./home.ts";
import { isLoopback, isPrivateAddress, postgresSocket } from "./topology.ts";

describe("oneNodeTopology", () => {
  test("is the same for the same input", () => {
    expect(sampleTopology()).toEqual(sampleTopology());
  });

  test("adds the offset to every port", () => {
    const [plain, moved] = [sampleTopology(), sampleTopology("network: {port_offset: 1000}")];
    for (const [name, port] of Object.entries(plain.ports)) expect(moved.ports).toHaveProperty(name, port + 1000);
    expect(plain.ports.pooled).toBe(6432);
  });

  test("runs one node under the machine's name", () => {
    const { node, nodes, scope } = sampleTopology("name: attic");
    expect([scope, node, nodes]).toEqual(["attic", { name: "nas", address: "127.0.0.1" }, [node]]);
  });

  test.each([
    ["Nas.Home.LAN", "nas-home-lan"],
    ["a_b c\n", "a-b-c-"],
    ["", "node"],
    ["x".repeat(64), "x".repeat(40)],
    ["größe", "gr--e"],
  ])("makes of the machine's name %j the node's name %s", (hostname, name) => {
    expect(sampleTopology("", { hostname }).node.name).toBe(name);
  });

  test("puts everything below the home", () => {
    const { paths } = sampleTopology();
    for (const path of Object.values(paths)) expect(path.startsWith("/srv/homelab")).toBe(true);
    expect(postgresSocket(sampleTopology("network: {port_offset: 7}"))).toEqual({
      directory: "/srv/homelab/run",
      port: 5438,
    });
  });

  test.each([
    ["debian 12's pooler", [1, 18, 0], { authDbname: false, preparedStatements: false }],
    ["1.19", [1, 19], { authDbname: true, preparedStatements: false }],
    ["1.21", [1, 21, 0], { authDbname: true, preparedStatements: true }],
  ])("knows what %s can do", (_name, pgbouncer, abilities) => {
    expect(sampleTopology("", { versions: { ...sampleMachine.versions, pgbouncer } }).pooler).toEqual(abilities);
  });
});

describe("where apps reach us", () => {
  const addresses = [
    "192.168.1.10",
    "203.0.113.9",
    "fd12:3456::1",
    "2001:db8::1",
    "10.1.2.3",
    "172.20.0.1",
    "172.32.0.1",
  ];

  test("is loopback and the private addresses, unless something else is said", () => {
    expect(sampleTopology("", { addresses }).listen).toEqual([
      "127.0.0.1",
      "::1",
      "192.168.1.10",
      "fd12:3456::1",
      "10.1.2.3",
      "172.20.0.1",
    ]);
  });

  test("is loopback alone where that is said", () => {
    expect(sampleTopology("network: {listen: loopback}", { addresses }).listen).toEqual(["127.0.0.1", "::1"]);
  });

  test("is exactly what was named, public or not", () => {
    const { listen } = sampleTopology("network: {listen: [203.0.113.9, '2001:db8::1']}", { addresses });
    expect(listen).toEqual(["203.0.113.9", "2001:db8::1"]);
  });
});

describe("the names in the certificate", () => {
  test("are the host of the URLs, localhost, the machine's name, and every address that is listened on", () => {
    const { certificateNames } = sampleTopology("network: {host: db.home.example}");
    expect(certificateNames).toEqual({
      dns: ["db.home.example", "localhost", "nas"],
      ip: ["127.0.0.1", "::1", "192.168.1.10", "fd00::10"],
    });
  });

  test.each([
    ["192.0.2.7", "192.0.2.7"],
    ["2001:db8::7", "2001:db8::7"],
  ])("hold a host that is an address, such as %s, as an address", (host, ip) => {
    const { certificateNames } = sampleTopology(`network: {host: '${host}'}`);
    expect(certificateNames.ip).toContain(ip);
    expect(certificateNames.dns).toEqual(["localhost", "nas"]);
  });

  test("leave out a machine's name that no certificate may hold", () => {
    expect(sampleTopology("", { hostname: "my nas, CN=evil" }).certificateNames.dns).toEqual(["localhost"]);
  });
});

test.each([
  ["127.0.0.1", true, true],
  ["127.8.9.1", true, true],
  ["::1", true, true],
  ["10.0.0.1", false, true],
  ["172.16.0.1", false, true],
  ["172.31.255.1", false, true],
  ["192.168.0.1", false, true],
  ["fc00::1", false, true],
  ["FD00::1", false, true],
  ["172.15.0.1", false, false],
  ["172.32.0.1", false, false],
  ["192.169.0.1", false, false],
  ["100.64.0.1", false, false],
  ["8.8.8.8", false, false],
  ["2001:db8::1", false, false],
  ["fe80::1", false, false],
  ["127.evil.example", false, false],
  ["0.0.0.0", false, false],
])("%s: loopback %s, private %s", (address, loopback, privately) => {
  expect([isLoopback(address), isPrivateAddress(address)]).toEqual([loopback, privately]);
});

test("the folders of a home are closed to others, but for the way to the CA's certificate", () => {
  const folders = homeFolders(homePaths("/srv/homelab"));
  expect(folders[0]).toEqual({ path: "/srv/homelab", mode: 0o711 });
  for (const { mode } of folders.slice(1)) expect(mode).toBe(0o700);
  const closed = folders.slice(1).map(({ path }) => path);
  const {
    caCertificate: _,
    settings: _settings,
    secrets: _secrets,
    storage: _storage,
    app: _app,
    root: _root,
    ...inside
  } = homePaths("/srv/homelab");
  for (const path of Object.values(inside)) expect(closed.some((folder) => path.startsWith(folder))).toBe(true);
});
