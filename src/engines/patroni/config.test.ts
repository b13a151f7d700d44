import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { goldenCases, goldenPath, HOSTILE_TEXTS } from "../../../tests/harness/golden.ts";
import { sampleSecrets, sampleTopology, severalNodes } from "../../../tests/harness/sample-topology.ts";
import { dcsOnlyParameters } from "../../cluster/sizing.ts";
import type { Topology } from "../../cluster/topology.ts";
import { settingsSchema } from "../../config/settings.ts";
import { Secret } from "../../core/secret.ts";
import { dynamicConfiguration, patroniConfigPath, patroniKey, pgHba, renderPatroni } from "./config.ts";

interface PatroniYaml {
  name: string;
  restapi: { listen: string; verify_client: string; authentication: { password: string } };
  bootstrap: { dcs: { postgresql: { parameters: Record<string, unknown> } }; initdb: unknown[]; pg_hba?: unknown };
  postgresql: {
    listen: string;
    pg_hba: string[];
    parameters: Record<string, unknown>;
    authentication: Record<string, { username: string; password: string; sslmode: string }>;
  };
}

const render = (topology: Topology, secrets = sampleSecrets): string => renderPatroni(topology, secrets).content;
/** As Python reads it: PyYAML knows YAML 1.1. */
const read = (content: string): PatroniYaml => parse(content, { version: "1.1" }) as PatroniYaml;

describe("patroni.yml", () => {
  test.each(Object.keys(goldenCases))("of the case %s is as it was read and agreed to", async (name) => {
    const file = renderPatroni(goldenCases[name]!, sampleSecrets);
    await expect(file.content).toMatchFileSnapshot(goldenPath(import.meta.dirname, name, file));
  });

  test("is closed to others, and where the process looks for it", () => {
    const topology = sampleTopology();
    expect(renderPatroni(topology, sampleSecrets)).toMatchObject({
      mode: 0o600,
      path: patroniConfigPath(topology),
      onChange: "reload",
    });
    expect(patroniKey(topology, "config")).toBe("/homelab/homelab/config");
  });

  test("gives each role its own password", () => {
    const { authentication } = read(render(sampleTopology())).postgresql;
    expect(authentication).toMatchObject({
      superuser: { username: "postgres", password: "sample-superuser" },
      replication: { username: "replicator", password: "sample-replication" },
      rewind: { username: "rewind", password: "sample-rewind" },
    });
    expect(read(render(sampleTopology())).restapi.authentication.password).toBe("sample-restapi");
  });

  test("keeps the cluster's own ports inside the cluster", () => {
    const { restapi, postgresql } = read(render(sampleTopology("network: {listen: [203.0.113.9]}")));
    expect([restapi.listen, postgresql.listen]).toEqual(["127.0.0.1:8008", "127.0.0.1:5431"]);
  });

  test("reads back as the parameters that went in", () => {
    const topology = goldenCases["debian12"]!;
    const yaml = read(render(topology));
    expect(yaml.bootstrap.dcs).toEqual(dynamicConfiguration(topology));
    expect(yaml.bootstrap.dcs.postgresql.parameters).toEqual(topology.parameters);
    for (const [name, value] of Object.entries(topology.parameters))
      if (!(dcsOnlyParameters as readonly string[]).includes(name))
        expect(yaml.postgresql.parameters).toHaveProperty([name], value);
  });

  test("leaves to the DCS what Patroni would ignore here", () => {
    for (const name of dcsOnlyParameters)
      expect(read(render(sampleTopology())).postgresql.parameters).not.toHaveProperty(name);
  });

  test.each(["hba_file", "ident_file", "data_directory", "unix_socket_permissions"])(
    "is not even rendered when the user's settings name %s",
    (name) => expect(() => sampleTopology(`postgres: {extra: {${name}: /tmp/mine}}`)).toThrow(/settled by homelab/),
  );

  test("forces TLS and its logs, whatever the user's settings say", () => {
    const yaml = "postgres: {extra: {ssl: false, log_directory: /tmp, ssl_min_protocol_version: TLSv1}}";
    expect(read(render(sampleTopology(yaml))).postgresql.parameters).toMatchObject({
      unix_socket_permissions: "0700",
      log_directory: "/srv/homelab/logs",
      ssl_min_protocol_version: "TLSv1.2",
    });
    expect(["on", true]).toContain(read(render(sampleTopology(yaml))).postgresql.parameters["ssl"]);
  });
});

describe("who may log in", () => {
  const ipv6 = severalNodes(sampleTopology());
  const topologies = [
    ...Object.values(goldenCases),
    { ...ipv6, nodes: [...ipv6.nodes, { name: "six", address: "fd00::7" }] },
  ];
  const lines = (topology: Topology) => pgHba(topology).map((line) => line.split(/\s+/));

  test("nobody without a password: no line says trust", () => {
    for (const topology of topologies) {
      expect(read(render(topology)).postgresql.pg_hba).toEqual(pgHba(topology));
      for (const line of lines(topology)) expect(["scram-sha-256", "reject"]).toContain(line.at(-1));
    }
  });

  test("nobody over TCP without TLS", () => {
    for (const [type, , , ...rest] of topologies.flatMap(lines))
      expect(type === "local" || type === "hostssl" || rest.at(-1) === "reject").toBe(true);
  });

  test("the superuser, the rewinder and the replicator not from the network: their reject stands before the line for all", () => {
    for (const topology of topologies) {
      const all = lines(topology);
      const open = all.findIndex(
        ([type, database, user]) => type === "hostssl" && database === "all" && user === "all",
      );
      for (const role of ["postgres", "rewind", "replicator"]) {
        const reject = all.findIndex(
          ([type, , user, , method]) => type === "host" && user === role && method === "reject",
        );
        expect(reject).toBeGreaterThanOrEqual(0);
        expect(reject).toBeLessThan(open);
      }
    }
  });

  test("a member only from exactly its own address", () => {
    for (const [type, , user, address] of topologies.flatMap(lines))
      if (type === "hostssl" && (user === "replicator" || user === "rewind"))
        expect(address).toMatch(/^(\d+(\.\d+){3}\/32|[0-9a-f:]+\/128)$/);
  });

  test("Patroni owns the whole file: nothing is appended to initdb's, whose first lines are trust", () => {
    const { bootstrap } = read(render(sampleTopology()));
    expect(bootstrap.pg_hba).toBeUndefined();
    expect(bootstrap.initdb).toContainEqual({ "auth-local": "scram-sha-256" });
    expect(bootstrap.initdb).toContainEqual({ "auth-host": "scram-sha-256" });
    expect(bootstrap.initdb).toContain("data-checksums");
  });
});

describe("a hostile value", () => {
  const usual = Object.keys(read(render(sampleTopology())));

  test.each(HOSTILE_TEXTS)("%j stays a password", (password) => {
    const secrets = { ...sampleSecrets, superuser: new Secret(password), patroni_restapi: new Secret(password) };
    const yaml = read(render(sampleTopology(), secrets));
    expect(yaml.postgresql.authentication["superuser"]!.password).toBe(password);
    expect(yaml.restapi.authentication.password).toBe(password);
  });

  test("cannot add a key, as a password of any printable characters", () => {
    const password = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 80 });
    fc.assert(
      fc.property(password, (text) => {
        const content = render(sampleTopology(), { ...sampleSecrets, replication: new Secret(text) });
        const yaml = read(content);
        expect(Object.keys(yaml)).toEqual(usual);
        expect(yaml.postgresql.authentication["replication"]!.password).toBe(text);
      }),
      { numRuns: 50 },
    );
  });

  test("cannot add a key, as a setting that the configuration lets through", () => {
    const plain = settingsSchema.shape.postgres;
    const text = fc.oneof(fc.constantFrom(...HOSTILE_TEXTS), fc.string({ unit: "binary" }), fc.string());
    fc.assert(
      fc.property(text, (value) => {
        fc.pre(plain.safeParse({ extra: { work_mem: value } }).success);
        const topology = sampleTopology();
        const content = render({ ...topology, parameters: { ...topology.parameters, work_mem: value } });
        const yaml = read(content);
        expect(Object.keys(yaml)).toEqual(usual);
        expect(yaml.postgresql.parameters["work_mem"]).toBe(value);
      }),
      { numRuns: 100 },
    );
  });

  test.each(["no", "on", "1e3", "12", "0x10"])("%s stays a node's name", (hostname) => {
    expect(read(render(sampleTopology("", { hostname }))).name).toBe(hostname);
  });
});
