import { describe, expect, test } from "vitest";
import { HomelabError } from "../core/errors.ts";
import { loadConfig } from "./load.ts";
import { shownSettings } from "./shown-settings.ts";
import { sso } from "./sso.ts";

const least = { issuer: "https://auth.example.com", client_id: "homelab", default_role: "viewer" };

const problems = (changed: object): string[] =>
  sso.safeParse({ ...least, ...changed }).error?.issues.map((issue) => issue.path.join(".")) ?? [];

describe("the issuer", () => {
  test.each([
    "https://auth.example.com",
    "https://auth.example.com/application/o/homelab/",
    "http://localhost:9000",
    "http://127.0.0.1:9000",
    "http://[::1]:9000",
    "http://[fd00:1::2]",
    "http://192.168.1.5/realms/home",
    "http://172.31.0.1",
    "http://authelia:9091",
    "http://auth.home.arpa",
  ])("may be %s", (issuer) => {
    expect(problems({ issuer })).toEqual([]);
  });

  test.each([
    "http://auth.example.com",
    "http://8.8.8.8",
    "http://172.32.0.1",
    "http://10.example.com",
    "http://127.0.0.1.example.com",
    "http://[2001:db8::1]",
    "https://ada:secret@auth.example.com",
    "https://auth.example.com/?realm=home",
    "https://auth.example.com/#home",
    "ldap://auth.example.com",
    "auth.example.com",
    "",
  ])("may not be %s", (issuer) => {
    expect(problems({ issuer })).toEqual(["issuer"]);
  });
});

describe("the block", () => {
  test("has defaults for all but issuer and client_id", () => {
    expect(sso.parse(least)).toEqual({
      ...least,
      scopes: ["openid", "profile", "email"],
      name: "Single sign-on",
      role_claim: "groups",
      roles: { admin: [], operator: [], viewer: [] },
    });
  });

  test("is refused when nobody could log in", () => {
    expect(problems({ default_role: "none" })).toEqual([""]);
    expect(problems({ default_role: "none", roles: { viewer: ["family"] } })).toEqual([]);
  });

  test("asks for openid in any case, and makes nobody an admin for having an account", () => {
    expect(problems({ scopes: ["profile"] })).toEqual(["scopes"]);
    expect(problems({ default_role: "admin" })).toEqual(["default_role"]);
  });
});

describe("the client's secret", () => {
  const load = (secret: string) =>
    loadConfig({
      files: [{ path: "homelab.yaml", text: JSON.stringify({ sso: { ...least, client_secret: secret } }) }],
      env: {},
      flags: {},
      readFile: () => "from a file\n",
    }).settings;

  test("can come from a file, and is never shown", () => {
    const settings = load("${file:/etc/homelab/sso-secret}");
    expect(settings.sso?.client_secret).toBe("from a file");
    const shown = Object.fromEntries(shownSettings(settings));
    expect(shown["sso.client_secret"]).toBe("[redacted]");
    expect(shown["sso.issuer"]).toBe(least.issuer);
  });

  test("is not in the error that refuses it", () => {
    const thrown = () => load("two\nlines");
    expect(thrown).toThrow(HomelabError);
    expect(thrown).not.toThrow(/two/);
  });
});
