import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { HomelabError } from "../core/errors.ts";
import { loadConfig, type ConfigInput, type EffectiveConfig } from "./load.ts";

function load(input: Partial<ConfigInput> & { yaml?: string; overlay?: string } = {}): EffectiveConfig {
  const { yaml, overlay, ...rest } = input;
  const files = [
    ...(yaml === undefined ? [] : [{ path: "/etc/homelab.yaml", text: yaml }]),
    ...(overlay === undefined ? [] : [{ path: "/etc/config/overlays/prod.yaml", text: overlay }]),
  ];
  const readFile = (): string => {
    throw new Error("ENOENT");
  };
  return loadConfig({ files, env: {}, flags: {}, readFile, ...rest });
}

function refusal(input: Parameters<typeof load>[0]): HomelabError {
  try {
    load(input);
  } catch (error) {
    return error as HomelabError;
  }
  throw new Error("it was let through");
}

describe("the layers", () => {
  const everywhere = {
    yaml: "name: from-file\n",
    overlay: "name: from-overlay\n",
    env: { HOMELAB_NAME: "from-env" },
    flags: { name: "from-flag" },
  };

  test.each([
    [{}, "homelab", "default"],
    [{ yaml: everywhere.yaml }, "from-file", "homelab.yaml"],
    [{ yaml: everywhere.yaml, overlay: everywhere.overlay }, "from-overlay", "prod.yaml"],
    [{ ...everywhere, flags: {} }, "from-env", "environment"],
    [everywhere, "from-flag", "flag"],
  ])("of %j the value in force is %s, and its origin %s", (input, name, origin) => {
    const { settings, origins } = load(input);
    expect(settings.name).toBe(name);
    expect(origins["name"]).toBe(origin);
  });

  test("maps merge, so that a later layer changes what it names and nothing else", () => {
    const { settings, origins } = load({
      yaml: "network: {host: db.example.org, ports: {direct: 6000}}",
      overlay: "network: {ports: {pooled: 7001}}",
    });
    expect(settings.network.host).toBe("db.example.org");
    expect(settings.network.ports).toMatchObject({ direct: 6000, pooled: 7001, patroni: 8008 });
    expect(origins).toMatchObject({
      "network.host": "homelab.yaml",
      "network.ports.direct": "homelab.yaml",
      "network.ports.pooled": "prod.yaml",
      "network.ports.patroni": "default",
    });
  });

  test("lists replace", () => {
    const { settings } = load({
      yaml: "network: {listen: [10.0.0.1, 10.0.0.2]}",
      overlay: "network: {listen: [10.0.0.3]}",
    });
    expect(settings.network.listen).toEqual(["10.0.0.3"]);
  });

  test("null removes, and the default holds again", () => {
    const { settings, origins } = load({
      yaml: "name: mine\nnetwork: {port_offset: 100, host: nas}",
      overlay: "name: null\nnetwork: null",
    });
    expect([settings.name, settings.network.port_offset, settings.network.host]).toEqual(["homelab", 0, "localhost"]);
    expect([origins["name"], origins["network.port_offset"]]).toEqual(["default", "default"]);
  });

  test("a flag that was not given changes nothing", () => {
    expect(
      load({ yaml: "network: {port_offset: 5}", flags: { "network.port_offset": undefined } }).settings,
    ).toMatchObject({
      network: { port_offset: 5 },
    });
  });

  test("every setting has an origin", () => {
    const { origins } = load({ yaml: "postgres: {extra: {work_mem: 8MB}}" });
    expect(origins["postgres.extra.work_mem"]).toBe("homelab.yaml");
    for (const path of ["version", "database.use_pooler", "patroni.ttl", "logs.keep", "pgbouncer.extra"])
      expect(origins[path]).toBe("default");
  });

  test("an empty file and one of comments alone are fine", () => {
    expect(load({ yaml: "" }).settings).toEqual(load().settings);
    expect(load({ yaml: "# nothing yet\n" }).settings).toEqual(load().settings);
  });

  test("variables are filled in for each file before it is merged", () => {
    const env = { HOST: "nas.lan", OFFSET: "2000" };
    const { network } = load({ yaml: "network: {host: '${HOST}', port_offset: '${OFFSET:-0}'}", env }).settings;
    expect(network).toMatchObject({ host: "nas.lan", port_offset: 2000 });
  });
});

describe("the environment", () => {
  test("two underscores are a level, and values are read as YAML", () => {
    const env = {
      HOMELAB_NETWORK__PORT_OFFSET: "1000",
      HOMELAB_NETWORK__LISTEN: "[127.0.0.1, 10.0.0.5]",
      HOMELAB_DATABASE__USE_POOLER: "false",
      HOMELAB_POSTGRES__EXTRA__WORK_MEM: "8MB",
    };
    const { settings } = load({ env });
    expect(settings.network).toMatchObject({ port_offset: 1000, listen: ["127.0.0.1", "10.0.0.5"] });
    expect(settings.database.use_pooler).toBe(false);
    expect(settings.postgres.extra).toEqual({ work_mem: "8MB" });
  });

  test("what is no setting is left alone: where the home is, a test's crash point, anybody else's variables", () => {
    const env = {
      HOMELAB_HOME: "/srv",
      HOMELAB_ENV: "prod",
      HOMELAB_CRASH_AT: "x",
      PATH: "/bin",
      POSTGRES_PASSWORD: "p",
    };
    expect(load({ env })).toEqual(load());
  });

  test("an unknown name is refused, with what was meant", () => {
    expect(refusal({ env: { HOMELAB_NETWORK__PORT_OFSET: "1" } }).message).toBe(
      "network.port_ofset: unknown setting, did you mean port_offset?",
    );
  });

  test("a map wins over a value of the same name, whatever their order", () => {
    for (const env of [
      { HOMELAB_NETWORK: "5", HOMELAB_NETWORK__HOST: "nas" },
      { HOMELAB_NETWORK: "", HOMELAB_NETWORK__HOST: "nas" },
    ])
      expect(load({ env }).settings.network.host).toBe("nas");
  });

  test("a value that is no YAML is a configuration error that names the variable", () => {
    expect(refusal({ env: { HOMELAB_NAME: "a: [" } })).toMatchObject({
      code: "configuration_invalid",
      message: expect.stringMatching(/^HOMELAB_NAME: /) as string,
    });
  });
});

describe("what does not hold", () => {
  test("is named with file, line and column, and what was meant", () => {
    const error = refusal({ yaml: "name: mine\nnetwork:\n  lisen: private\n" });
    expect(error.code).toBe("configuration_invalid");
    expect(error.message).toBe("homelab.yaml:3:3 network.lisen: unknown setting, did you mean listen?");
    expect(error.errors).toEqual([
      { field: "homelab.yaml:3:3 network.lisen", message: "unknown setting, did you mean listen?" },
    ]);
    expect(error.hint).toContain("homelab config schema");
  });

  test("is looked for in the file that was on top", () => {
    expect(refusal({ yaml: "network: {host: ok}", overlay: "\n\nnetwork:\n    host: 'not ok'" }).message).toMatch(
      /^prod\.yaml:4:5 network\.host: expected a host name/,
    );
  });

  test("lists the settings that are known there when none is near", () => {
    expect(refusal({ yaml: "logs: {colour: blue}" }).message).toBe(
      "homelab.yaml:1:8 logs.colour: unknown setting (known here: max_size_mb, keep)",
    );
  });

  test("is told whole, not one problem at a time", () => {
    const error = refusal({ yaml: "nam: x\npatroni: {ttl: 5}\nnetwork: {ports: {direct: 70000}}\n" });
    expect(error.errors?.map((entry) => entry.field.split(" ")[1]).toSorted()).toEqual([
      "nam",
      "network.ports.direct",
      "patroni.ttl",
    ]);
  });

  test.each([
    ["a tab for indentation", "network:\n\thost: x", /^homelab\.yaml:2:1 /],
    ["the same key twice", "name: a\nname: b", /^homelab\.yaml:2:1 .*unique/],
    ["a list", "- name", /expected settings such as/],
    ["a lone word", "homelab", /expected settings such as/],
    ["an alias to nothing", "name: *nobody", /^homelab\.yaml: .*nobody/],
    ["aliases that multiply", bomb(), /^homelab\.yaml: .*alias/i],
    ["a duration without unit", "database: {statement_timeout: '5'}", /expected a duration/],
    ["an address that is none", "network: {listen: [nas.lan]}", /network\.listen: expected one of the forms/],
    ["a value of another type", "database: {use_pooler: 5}", /database\.use_pooler: expected boolean/],
  ])("%s is refused in a sentence", (_name, yaml, sentence) => {
    const error = refusal({ yaml });
    expect(error.code).toBe("configuration_invalid");
    expect(error.message).toMatch(sentence);
  });

  function bomb(): string {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(", ")}]`,
    );
    return ["a0: &a0 [x]", ...levels].join("\n");
  }
});

describe("keys that mean something to JavaScript", () => {
  const KEYS = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "__defineGetter__"];
  const untouched = () => expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();

  test.each(KEYS)("%s is refused as unknown, at the top and below, and pollutes nothing", (key) => {
    for (const yaml of [
      `${key}: {polluted: true}`,
      `network: {${key}: {polluted: true}}`,
      `network: {ports: {${key}: {polluted: 1}}}`,
    ])
      expect(refusal({ yaml }).message).toMatch(/^homelab\.yaml:\d+:\d+ .*unknown setting/);
    untouched();
  });

  test.each(["__proto__", "hasOwnProperty", "toString"])("%s is refused as a name of an engine's setting", (key) => {
    expect(refusal({ yaml: `postgres: {extra: {${key}: 1}}` }).code).toBe("configuration_invalid");
    untouched();
  });

  test("neither a variable nor a flag can reach a prototype", () => {
    for (const env of [
      { HOMELAB_CONSTRUCTOR__PROTOTYPE__POLLUTED: "true" },
      { HOMELAB_NETWORK__CONSTRUCTOR__PROTOTYPE__POLLUTED: "true" },
    ])
      expect(refusal({ env }).code).toBe("configuration_invalid");
    for (const path of ["__proto__.polluted", "constructor.prototype.polluted", "network.__proto__.polluted"])
      expect(refusal({ flags: { [path]: true } }).code).toBe("configuration_invalid");
    untouched();
  });

  test("no path of such keys pollutes anything, in any layer", () => {
    const path = fc.array(fc.constantFrom(...KEYS, "network", "postgres", "extra"), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(path, (keys) => {
        const yaml = JSON.stringify(
          keys.toReversed().reduce<unknown>((inner, key) => Object.fromEntries([[key, inner]]), { polluted: 1 }),
        );
        for (const input of [{ yaml }, { overlay: yaml }, { flags: { [[...keys, "polluted"].join(".")]: 1 } }])
          try {
            load(input);
          } catch (error) {
            expect((error as HomelabError).code).toBe("configuration_invalid");
          }
        untouched();
      }),
    );
  });
});

describe("the engines' own settings", () => {
  const SECTIONS = ["postgres", "pgbouncer"];

  test.each(SECTIONS)("%s takes plain values as they are", (section) => {
    const yaml = `${section}: {extra: {work_mem: 8MB, jit: false, seq_page_cost: 1.5, search_path: "a, b", "my.setting": "100 %"}}`;
    expect(load({ yaml }).settings[section as "postgres"].extra).toEqual({
      work_mem: "8MB",
      jit: false,
      seq_page_cost: 1.5,
      search_path: "a, b",
      "my.setting": "100 %",
    });
  });

  test.each(
    SECTIONS.flatMap((section) =>
      ["\n", "\r", "\0", "\t", "'", '"', "\\", ";", "#", "\u0085", "\u2028", "\u2029", "\u007f"].map(
        (bad) => [section, bad] as const,
      ),
    ),
  )("%s refuses a value with %j, which could end its line", (section, bad) => {
    for (const value of [`8MB${bad}auth_type = trust`, bad, `x${bad}`])
      expect(refusal({ yaml: JSON.stringify({ [section]: { extra: { work_mem: value } } }) }).code).toBe(
        "configuration_invalid",
      );
  });

  test("the same holds for what a variable brings in", () => {
    const env = { EVIL: "8MB\nauth_type = trust" };
    expect(refusal({ yaml: "pgbouncer: {extra: {query_timeout: '${EVIL}'}}", env }).code).toBe("configuration_invalid");
    expect(refusal({ env: { HOMELAB_PGBOUNCER__EXTRA__QUERY_TIMEOUT: '"1\\nauth_type = trust"' } }).code).toBe(
      "configuration_invalid",
    );
  });

  test.each(["Work_mem", "work mem", "a=b", "[pgbouncer]", "%include", "1a", "", "a\nb"])(
    "a name such as %j is refused",
    (name) =>
      expect(refusal({ yaml: JSON.stringify({ pgbouncer: { extra: { [name]: 1 } } }) }).code).toBe(
        "configuration_invalid",
      ),
  );

  test("a list or a map is no value", () => {
    for (const value of [[1], { a: 1 }])
      expect(refusal({ yaml: JSON.stringify({ postgres: { extra: { work_mem: value } } }) }).code).toBe(
        "configuration_invalid",
      );
  });
});
