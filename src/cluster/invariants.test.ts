import { describe, expect, test } from "vitest";
import { oldMachine, sampleTopology, settingsFrom, severalNodes } from "../../tests/harness/sample-topology.ts";
import { violations } from "./invariants.ts";
import { oneNodeTopology, type Topology } from "./topology.ts";
import { sampleMachine } from "../../tests/harness/sample-topology.ts";

const rules = (topology: Topology): string[] => violations(topology).map(({ rule }) => rule);
const at = (root: string): Topology => oneNodeTopology(root, settingsFrom(), sampleMachine);
const withListen = (listen: string[]): Topology => ({ ...sampleTopology(), listen });

describe("the defaults", () => {
  test("hold on Debian 12 and on Debian 13", () => {
    expect(violations(sampleTopology())).toEqual([]);
    expect(violations(sampleTopology("", oldMachine))).toEqual([]);
  });

  test("hold on the smallest machine that is let in", () => {
    expect(violations(sampleTopology("", { memoryBytes: 900_000_000, cores: 1 }))).toEqual([]);
  });
});

describe("each rule", () => {
  test.each<[string, Topology, Topology]>([
    [
      "ports-unique",
      sampleTopology("network: {ports: {direct: 6000, pooled: 6000}}"),
      sampleTopology("network: {ports: {direct: 6000, pooled: 6001}}"),
    ],
    [
      "ports-in-range",
      sampleTopology("network: {port_offset: 50000, ports: {direct: 20000}}"),
      sampleTopology("network: {port_offset: 50000}"),
    ],
    [
      "pools-fit",
      sampleTopology("database: {default_pool_size: 50, max_db_connections: 40}"),
      sampleTopology("database: {default_pool_size: 40, max_db_connections: 40}"),
    ],
    [
      "pools-fit",
      sampleTopology("database: {max_db_connections: 481}"),
      sampleTopology("database: {max_db_connections: 480}\npostgres: {extra: {max_connections: 500}}"),
    ],
    [
      "pools-fit",
      sampleTopology("postgres: {extra: {max_connections: 119}}"),
      sampleTopology("postgres: {extra: {max_connections: 120}}"),
    ],
    ["home-path", at("/srv/my homelab"), at("/srv/my-home.lab_1/größe")],
    ["home-path", at("/srv/a\nlisten_addr = *"), at("/srv/a")],
    ["socket-path", at(`/${"x".repeat(84)}`), at(`/${"x".repeat(83)}`)],
    ["socket-path", at(`/${"ü".repeat(42)}`), at(`/${"ü".repeat(41)}`)],
    [
      "patroni-times",
      sampleTopology("patroni: {ttl: 20, loop_wait: 10, retry_timeout: 6}"),
      sampleTopology("patroni: {ttl: 20, loop_wait: 10, retry_timeout: 5}"),
    ],
    ["no-public-address", withListen(["127.0.0.1", "203.0.113.9"]), sampleTopology("network: {listen: [203.0.113.9]}")],
    ["versions", severalNodes(sampleTopology("", oldMachine)), severalNodes(sampleTopology())],
    [
      "versions",
      sampleTopology("", { versions: { ...sampleMachine.versions, postgresql: [14, 12] } }),
      sampleTopology("", { versions: { ...sampleMachine.versions, postgresql: [15, 20] } }),
    ],
  ])("%s is found where it is broken, and only there", (rule, broken, holding) => {
    expect(rules(broken)).toContain(rule);
    expect(rules(holding)).not.toContain(rule);
  });

  test("says what is wrong, and what to do about it", () => {
    for (const found of [
      ...violations(sampleTopology("network: {ports: {direct: 6000, pooled: 6000}}")),
      ...violations(severalNodes(sampleTopology("", oldMachine))),
      ...violations(at("/srv/my homelab")),
    ]) {
      expect(found.says.length).toBeGreaterThan(10);
      expect(found.hint.length).toBeGreaterThan(10);
    }
  });

  test("names both holders of a port", () => {
    const [found] = violations(sampleTopology("network: {ports: {etcd_peer: 6432}}"));
    expect(found?.says).toBe("port 6432 is given twice: pooled and etcd_peer");
  });

  test("are all asked, so that one answer lists everything", () => {
    const topology = sampleTopology("network: {ports: {direct: 6432}}\npatroni: {loop_wait: 60}");
    expect(rules(topology)).toEqual(["ports-unique", "patroni-times"]);
  });
});
