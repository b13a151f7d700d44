import { expect, test } from "vitest";
import { carrySettings } from "./carried-settings.ts";
import { loadConfig } from "./load.ts";

const FILE = `# my own words
name: shed
network:
  host: \${HOST_NAME}
database:
  default_pool_size: 30 # enough
sso:
  issuer: https://id.example.org
  client_id: homelab
  client_secret: \${file:/run/secrets/sso}
  default_role: viewer
`;

const load = (text: string, env: Record<string, string>, files: Record<string, string>) =>
  loadConfig({
    files: [{ path: "/etc/homelab.yaml", text }],
    env,
    readFile: (path) => files[path] ?? expect.unreachable(path),
    flags: {},
  });

test("settings mean the same on a machine without the variables and files that they came from", () => {
  const env = {
    HOST_NAME: "db.lan",
    HOMELAB_POSTGRES__EXTRA: "{pg_stat_statements.track: all}",
    HOMELAB_LOGS__KEEP: "9",
  };
  const there = load(FILE, env, { "/run/secrets/sso": "of the provider" });
  const carried = carrySettings(FILE, there, (path) => `/new/${path}`);
  expect(carried.text).toContain("# my own words");
  expect(carried.text).toContain("default_pool_size: 30 # enough");
  expect(carried.text).not.toContain("of the provider");
  expect([...carried.secrets]).toEqual([["sso.client_secret", "of the provider"]]);
  const here = load(carried.text, {}, { "/new/sso.client_secret": "of the provider" });
  expect(here.settings).toEqual(there.settings);
});

test("a home without settings of its own carries none", () => {
  const { text, secrets } = carrySettings(null, load("", {}, {}), () => "");
  expect(load(text, {}, {}).settings).toEqual(load("", {}, {}).settings);
  expect([text.trim().split("\n").length, secrets.size]).toEqual([1, 0]);
});
