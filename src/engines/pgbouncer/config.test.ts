import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { goldenCases, goldenPath, HOSTILE_TEXTS } from "../../../tests/harness/golden.ts";
import { parseIni, type Ini } from "../../../tests/harness/parse-ini.ts";
import { sampleSecrets, sampleTopology } from "../../../tests/harness/sample-topology.ts";
import type { Topology } from "../../cluster/topology.ts";
import { settingsSchema } from "../../config/settings.ts";
import { Secret } from "../../core/secret.ts";
import { poolerConfigPath, poolerFiles, poolerPort, renderPgbouncer, type PoolerName } from "./config.ts";

const NAMES: PoolerName[] = ["pgbouncer", "pgbouncer-ro"];
const files = (topology: Topology, secrets = sampleSecrets): Map<string, string> =>
  new Map(renderPgbouncer(topology, secrets).map(({ path, content }) => [path, content]));
const named = (topology: Topology, ending: string): string =>
  [...files(topology)].find(([path]) => path.endsWith(ending))![1];

/** A pooler's settings as it reads them, what it includes too. */
function read(topology: Topology, name: PoolerName = "pgbouncer"): Ini {
  const all = files(topology);
  return parseIni(all.get(poolerConfigPath(topology, name))!, (path) => {
    expect(all.has(path)).toBe(true);
    return all.get(path)!;
  });
}

describe("the poolers' files", () => {
  test.each(Object.keys(goldenCases))("of the case %s are as they were read and agreed to", async (name) => {
    for (const file of renderPgbouncer(goldenCases[name]!, sampleSecrets))
      await expect(file.content).toMatchFileSnapshot(goldenPath(import.meta.dirname, name, file));
  });

  test("are closed to others, and all of those that the process reads", () => {
    const topology = sampleTopology();
    const rendered = renderPgbouncer(topology, sampleSecrets);
    for (const { mode } of rendered) expect(mode).toBe(0o600);
    const paths = rendered.map(({ path }) => path);
    const readAtStart = NAMES.flatMap((name) => poolerFiles(topology, name));
    expect(new Set(readAtStart.filter((path) => !path.endsWith(".crt")))).toEqual(new Set(paths));
  });

  test("take a restart where RELOAD would not do, and a reload everywhere else", () => {
    for (const { path, onChange } of renderPgbouncer(sampleTopology(), sampleSecrets))
      expect(onChange).toBe(path.endsWith("-listen.ini") ? "restart" : "reload");
  });

  test("listen where the topology says, each on its own port", () => {
    const topology = sampleTopology("network: {port_offset: 100}");
    for (const name of NAMES)
      expect(Object.fromEntries(read(topology, name).get("pgbouncer")!)).toMatchObject({
        listen_addr: "127.0.0.1,::1,192.168.1.10,fd00::10",
        listen_port: String(poolerPort(topology, name)),
        unix_socket_dir: "/srv/homelab/run",
        unix_socket_mode: "0700",
      });
    expect(NAMES.map((name) => poolerPort(topology, name))).toEqual([6532, 6533]);
  });

  test("hold no address that changes with where it listens", () => {
    expect(files(sampleTopology()).get(poolerConfigPath(sampleTopology(), "pgbouncer"))).not.toContain("192.168.1.10");
  });

  test("reach every database over the socket, as the role that looks passwords up, and no template at all", () => {
    const databases = read(sampleTopology()).get("databases")!;
    expect(databases.get("*")).toBe("host=/srv/homelab/run port=5431 auth_user=pgbouncer_auth");
    for (const template of ["template0", "template1"]) expect(databases.get(template)).toMatch(/port=1$/);
  });

  test("ask for what this version can do, and for nothing more", () => {
    const [older, newer] = [read(goldenCases["debian12"]!), read(goldenCases["debian13"]!)].map((ini) =>
      ini.get("pgbouncer")!,
    );
    for (const key of ["auth_dbname", "max_prepared_statements"]) {
      expect(older!.has(key)).toBe(false);
      expect(newer!.has(key)).toBe(true);
    }
  });

  test("take the user's settings over ours, but for the forced ones", () => {
    const yaml =
      "pgbouncer: {extra: {server_idle_timeout: 5, pool_mode: session, auth_type: trust, admin_users: evil}}";
    const settings = read(sampleTopology(yaml)).get("pgbouncer")!;
    expect(settings.get("server_idle_timeout")).toBe("5");
    expect(settings.get("pool_mode")).toBe("transaction");
    expect(settings.get("auth_type")).toBe("hba");
    expect(settings.get("admin_users")).toBe("");
  });

  test("have each setting once, so that none is decided by its place", () => {
    for (const topology of Object.values(goldenCases)) {
      const lines = named(topology, "/pgbouncer.ini")
        .split("\n")
        .filter((line) => line.includes(" = "));
      const keys = lines.map((line) => line.split(" = ")[0]);
      expect(new Set(keys).size).toBe(keys.length);
    }
  });
});

describe("who may log in to the pooler", () => {
  const lines = Object.values(goldenCases).flatMap((topology) =>
    named(topology, "pgbouncer_hba.conf")
      .split("\n")
      .filter((line) => line && !line.startsWith("#"))
      .map((line) => line.split(/\s+/)),
  );

  test("nobody without a password: no line says trust", () => {
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(line.at(-1)).toBe("scram-sha-256");
  });

  test("nobody from elsewhere without TLS", () => {
    for (const [type, , , address] of lines)
      if (type === "host") expect(["127.0.0.0/8", "::1/128"]).toContain(address);
      else expect(["local", "hostssl"]).toContain(type);
  });

  test("only two roles stand in the user list, with their passwords", () => {
    expect(named(sampleTopology(), "pgbouncer_users.txt")).toBe(
      '"pgbouncer_auth" "sample-pooler-auth"\n"pgbouncer_stats" "sample-pooler-stats"\n',
    );
  });
});

describe("a hostile value", () => {
  test("cannot add a line, as a setting that the configuration lets through", () => {
    const text = fc.oneof(fc.constantFrom(...HOSTILE_TEXTS), fc.string({ unit: "binary" }), fc.string());
    const plain = read(sampleTopology("pgbouncer: {extra: {query_timeout: 1}}"));
    fc.assert(
      fc.property(text, (value) => {
        fc.pre(settingsSchema.shape.pgbouncer.safeParse({ extra: { query_timeout: value } }).success);
        const ini = read(
          sampleTopology(JSON.stringify({ pgbouncer: { extra: { query_timeout: value.replaceAll("$", "$$$$") } } })),
        );
        expect([...ini.keys()]).toEqual([...plain.keys()]);
        expect([...ini.get("pgbouncer")!.keys()]).toEqual([...plain.get("pgbouncer")!.keys()]);
        expect(ini.get("pgbouncer")!.get("query_timeout")).toBe(value.trim());
        expect(ini.get("databases")).toEqual(plain.get("databases"));
      }),
    );
  });

  test("cannot add a user, as a password of any printable characters", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 80 }), (password) => {
        const all = files(sampleTopology(), { ...sampleSecrets, pooler_stats: new Secret(password) });
        const text = [...all].find(([path]) => path.endsWith("users.txt"))![1];
        const rows = text
          .split("\n")
          .slice(0, -1)
          .map((line) => /^"((?:[^"]|"")*)" "((?:[^"]|"")*)"$/.exec(line)!);
        expect(rows.map((row) => row[1])).toEqual(["pgbouncer_auth", "pgbouncer_stats"]);
        expect(rows[1]![2]!.replaceAll('""', '"')).toBe(password);
      }),
    );
  });
});
