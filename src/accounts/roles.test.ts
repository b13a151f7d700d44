import { describe, expect, test } from "vitest";
import type { Scope } from "../core/scope.ts";
import { may, mayGrant, roleOf, SCOPES, scopesOf, type Role } from "./roles.ts";

describe("may", () => {
  test.each<[Role, Scope[]]>([
    ["viewer", ["read"]],
    ["operator", ["read", "provision", "operate"]],
    ["admin", ["read", "provision", "operate", "admin"]],
  ])("a %s may %j and nothing else", (role, allowed) => {
    const actor = { scopes: scopesOf(role) };
    expect(SCOPES.filter((scope) => may(actor, scope))).toEqual(allowed);
  });

  test("a key of one scope may read, and not what the other scope is for", () => {
    expect(SCOPES.filter((scope) => may({ scopes: ["provision"] }, scope))).toEqual(["read", "provision"]);
    expect(SCOPES.filter((scope) => may({ scopes: ["operate"] }, scope))).toEqual(["read", "operate"]);
  });

  test("without a scope nothing is allowed, not even reading", () => {
    expect(SCOPES.filter((scope) => may({ scopes: [] }, scope))).toEqual([]);
  });
});

test("nobody gives away more than he has", () => {
  expect(mayGrant({ scopes: ["provision"] }, ["read", "provision"])).toBe(true);
  expect(mayGrant({ scopes: ["provision"] }, ["operate"])).toBe(false);
  expect(mayGrant({ scopes: ["read", "provision", "operate"] }, ["admin"])).toBe(false);
  expect(mayGrant({ scopes: ["admin"] }, [...SCOPES])).toBe(true);
});

test("scopes are a role's for whoever asks by role", () => {
  expect([["read"], ["operate"], ["provision"], ["admin"]].map((scopes) => roleOf(scopes as Scope[]))).toEqual([
    "viewer",
    "operator",
    "operator",
    "admin",
  ]);
});
