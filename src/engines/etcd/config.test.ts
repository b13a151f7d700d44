import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { goldenCases, goldenPath, HOSTILE_TEXTS } from "../../../tests/harness/golden.ts";
import { sampleTopology, severalNodes } from "../../../tests/harness/sample-topology.ts";
import { etcdConfigPath, renderEtcd } from "./config.ts";

type Rendered = Record<string, unknown>;
const asGoReads = (content: string): Rendered => parse(content, { version: "1.1" }) as Rendered;

describe("etcd.yml", () => {
  test.each(Object.keys(goldenCases))("of the case %s is as it was read and agreed to", async (name) => {
    const file = renderEtcd(goldenCases[name]!);
    await expect(file.content).toMatchFileSnapshot(goldenPath(import.meta.dirname, name, file));
  });

  test("is closed to others, and where the process looks for it", () => {
    const topology = sampleTopology();
    expect(renderEtcd(topology)).toMatchObject({ mode: 0o600, path: etcdConfigPath(topology), onChange: "restart" });
  });

  test("demands a client certificate from everybody, members included", () => {
    for (const topology of Object.values(goldenCases)) {
      const config = asGoReads(renderEtcd(topology).content);
      for (const transport of ["client-transport-security", "peer-transport-security"])
        expect(config[transport]).toMatchObject({ "client-cert-auth": true, "trusted-ca-file": "/srv/homelab/ca.crt" });
      for (const [key, value] of Object.entries(config))
        if (key.endsWith("-urls")) expect(String(value)).toMatch(/^https:\/\//);
    }
  });

  test("listens at the cluster's own address alone", () => {
    const config = asGoReads(renderEtcd(sampleTopology("network: {listen: [203.0.113.9], port_offset: 5}")).content);
    expect(config["listen-client-urls"]).toBe("https://127.0.0.1:2384");
    expect(config["listen-peer-urls"]).toBe("https://127.0.0.1:2385");
  });

  test("names every member", () => {
    expect(asGoReads(renderEtcd(severalNodes(sampleTopology())).content)["initial-cluster"]).toBe(
      "node-10=https://10.0.0.10:2380,node-11=https://10.0.0.11:2380,node-12=https://10.0.0.12:2380",
    );
  });

  test("hurries the election only where there is nobody to wait for", () => {
    expect(asGoReads(renderEtcd(sampleTopology()).content)).toHaveProperty("election-timeout", 250);
    expect(asGoReads(renderEtcd(severalNodes(sampleTopology())).content)).not.toHaveProperty("election-timeout");
  });

  test.each(HOSTILE_TEXTS)("keeps a machine called %j a text", (hostname) => {
    const topology = sampleTopology("", { hostname });
    const config = asGoReads(renderEtcd(topology).content);
    expect(config["name"]).toBe(topology.node.name);
    expect(Object.keys(config)).toEqual(Object.keys(asGoReads(renderEtcd(sampleTopology()).content)));
  });
});
