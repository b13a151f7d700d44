import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sso } from "../config/sso.ts";
import type { HomelabError } from "../core/errors.ts";
import { type Claims, identityOf } from "./sso-identity.ts";

const settingsWith = (changed: object = {}) =>
  sso.parse({
    issuer: "https://auth.example.com",
    client_id: "homelab",
    roles: { admin: ["admins"], operator: ["operators"], viewer: ["family"] },
    ...changed,
  });

const identity = (claims: Claims, changed?: object) =>
  identityOf({ iss: "https://auth.example.com", sub: "1", groups: "family", ...claims }, settingsWith(changed));

const refusal = (claims: Claims, changed?: object): HomelabError => {
  try {
    identity(claims, changed);
  } catch (error) {
    return error as HomelabError;
  }
  throw new Error("it was let in");
};

describe("the role", () => {
  test.each([
    [["admins"], "admin"],
    [["family", "operators", "admins"], "admin"],
    [["family", "operators"], "operator"],
    ["family", "viewer"],
  ])("of %j is %s", (groups, role) => {
    expect(identity({ groups }).role).toBe(role);
  });

  test.each([
    ["Admins"],
    ["admins "],
    ["admins,family"],
    [""],
    [[]],
    [null],
    [{ admins: true }],
    [[["admins"]]],
    [true],
  ])("of %j is none", (groups) => {
    expect(refusal({ groups })).toMatchObject({ code: "sso_refused" });
  });

  test("is the default one for others, and never less for members", () => {
    expect(identity({ groups: ["strangers"] }, { default_role: "operator" }).role).toBe("operator");
    expect(identity({ groups: undefined }, { default_role: "viewer" }).role).toBe("viewer");
    expect(identity({ groups: ["admins"] }, { default_role: "viewer" }).role).toBe("admin");
  });

  test("can stand deep in a map, or under a name with dots", () => {
    const nested = { realm_access: { roles: ["admins"] } };
    expect(identity(nested, { role_claim: "realm_access.roles" }).role).toBe("admin");
    const claim = "https://example.org/roles";
    expect(identity({ [claim]: ["operators"] }, { role_claim: claim }).role).toBe("operator");
  });

  test.each(["constructor.name", "__proto__", "groups.length", "sub.groups"])("is not found in %s", (claim) => {
    expect(refusal({}, { role_claim: claim }).message).toBe(
      `the account may not log in here: its claim ${claim} is not there`,
    );
  });

  test("of nobody is refused with the claim's name, and without what any claim says", () => {
    const error = refusal({ groups: ["secret-club"], email: "ada@example.com", name: "Ada" });
    expect(error.message).toContain("its claim groups names none of the groups");
    expect(JSON.stringify([error.message, error.hint])).not.toMatch(/secret-club|ada/i);
  });
});

describe("the user's name", () => {
  test.each([
    [{ preferred_username: "ada" }, "ada"],
    [{ preferred_username: "Ada Lovelace" }, "ada-lovelace"],
    [{ preferred_username: "ada@example.com" }, "ada"],
    [{ preferred_username: "Jürgen_Åse" }, "jurgen_ase"],
    [{ preferred_username: "42", email: "ada.l@example.com" }, "ada.l"],
    [{ preferred_username: "李", sub: "0c1f" }, "user-0c1f"],
    [{ preferred_username: "-ada-" }, "ada"],
    [{ preferred_username: 7, email: ["x"], sub: "b7" }, "b7"],
    [{ sub: "12345" }, "user-12345"],
    [{ sub: "李" }, "user"],
  ])("of %j is %s", (claims, name) => {
    expect(identity(claims).username).toBe(name);
  });

  test("is one that an account can have, whatever the provider says", () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: "grapheme" }),
      fc.constantFrom("a".repeat(80), "é.".repeat(50)),
    );
    const claims = fc.record({ preferred_username: text, email: text }, { requiredKeys: [] });
    fc.assert(
      fc.property(claims, fc.string({ minLength: 1 }), (some, sub) => {
        expect(identity({ ...some, sub }).username).toMatch(/^[a-z][a-z0-9._-]{0,62}$/);
      }),
    );
  });
});

test("what is shown of an account holds no control characters, and no address that is not verified", () => {
  const shown = identity({ name: "Ada\u001b[31m\u202e", email: "ada@example.com", email_verified: false });
  expect(shown).toMatchObject({ displayName: "Ada\\u202e", email: null, issuer: "https://auth.example.com" });
  expect(identity({ preferred_username: "ada", email: "ada@example.com" })).toMatchObject({
    displayName: "ada",
    email: "ada@example.com",
    subject: "1",
  });
});
