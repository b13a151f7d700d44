import { expect, test } from "vitest";
import { Secret } from "../core/secret.ts";
import { type PendingLogin, StateSeal } from "./sso-state.ts";

const login: PendingLogin = { state: "s", nonce: "n", verifier: "v", redirectUri: "https://hub/back", returnTo: "/" };
const minute = 60_000;

let now = 0;
const clock = { now: () => now };
const sealFor = (context = "provider client", key = "key") => new StateSeal(new Secret(key), context, clock);

test("what is sealed comes back whole, and nothing of it can be read meanwhile", () => {
  const sealed = sealFor().seal(login);
  expect(Buffer.from(sealed, "base64url").toString("latin1")).not.toContain("https://hub/back");
  expect(sealFor().open(sealed, "s")).toEqual(login);
});

test("the same login is never sealed alike", () => {
  expect(sealFor().seal(login)).not.toBe(sealFor().seal(login));
});

test("every single byte counts", () => {
  const seal = sealFor();
  const bytes = Buffer.from(seal.seal(login), "base64url");
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1;
    expect(() => seal.open(changed.toString("base64url"), "s")).toThrow("not begun here");
  }
});

test.each(["", "AAAA", "not base64 at all!", "A".repeat(100)])("%j is no seal", (text) => {
  expect(() => sealFor().open(text, "s")).toThrow("not begun here");
});

test("another key, another provider and another client do not open it", () => {
  const sealed = sealFor().seal(login);
  expect(() => sealFor("provider client", "another").open(sealed, "s")).toThrow("not begun here");
  expect(() => sealFor("provider another").open(sealed, "s")).toThrow("not begun here");
});

test("it opens for 10 minutes", () => {
  const seal = sealFor();
  const sealed = seal.seal(login);
  now += 10 * minute;
  expect(() => seal.open(sealed, "s")).toThrow("longer than 10 minutes");
  now -= 1;
  expect(seal.open(sealed, "s")).toEqual(login);
});

test("it opens once, and another state does not use it up", () => {
  const seal = sealFor();
  const sealed = seal.seal(login);
  expect(() => seal.open(sealed, "another")).toThrow("another login");
  expect(() => seal.open(sealed, null)).toThrow("another login");
  seal.open(sealed, "s");
  expect(() => seal.open(sealed, "s")).toThrow("finished before");
});
