import { describe, expect, test } from "vitest";
import {
  addKey,
  findKey,
  isUsableKey,
  mintKey,
  prefixOf,
  requireLiveKey,
  revokeKey,
  viewKey,
  type NewKey,
} from "./keys.ts";
import { Lookup } from "./lookup.ts";
import { EMPTY_STATE } from "./state.ts";

const NOW = "2026-11-20T12:00:00.000Z";
const now = Date.parse(NOW);
const mint = (input: Partial<NewKey> = {}) =>
  mintKey({ name: "laptop", scopes: ["read"], expiresAt: null, ...input }, "user:ada", NOW);
const refusal = (code: string) => expect.objectContaining({ code }) as Error;

describe("a key", () => {
  test("has a prefix to look it up by, 192 random bits, and is kept as a hash", () => {
    const { key, text } = mint();
    const [, prefix, secret] = /^hl_([A-Za-z0-9]{8})_([A-Za-z0-9_-]{32})$/.exec(text.reveal())!;
    expect(key.prefix).toBe(prefix);
    expect(key.secretHash).toMatch(/^[0-9a-f]{64}$/);
    for (const shown of [JSON.stringify(key), JSON.stringify(viewKey(key)), String(text)])
      expect(shown).not.toContain(secret);
    expect(viewKey(key)).not.toHaveProperty("secretHash");
    expect(mint().text.reveal()).not.toBe(text.reveal());
  });

  test("is found by its whole text alone", () => {
    const { key, text } = mint();
    const other = mint().text.reveal();
    const { keysByPrefix } = new Lookup(addKey(EMPTY_STATE, key));
    const right = text.reveal();
    expect(findKey(keysByPrefix, right)).toBe(key);
    const wrong = [`${right}x`, right.slice(0, -1), right.toUpperCase(), other, ` ${right}`, "", "hl_", key.secretHash];
    // The right prefix with another key's secret.
    wrong.push(`hl_${key.prefix}_${other.slice(12)}`);
    for (const given of wrong) expect(findKey(keysByPrefix, given)).toBeUndefined();
  });

  test("tells its prefix and no more", () => {
    const { key, text } = mint();
    expect(prefixOf(text.reveal())).toBe(key.prefix);
    expect(prefixOf("something else")).toBeUndefined();
  });

  test("works until it expires or is revoked", () => {
    const { key } = mint({ expiresAt: "2026-11-20T12:00:01.000Z" });
    expect(isUsableKey(key, now)).toBe(true);
    expect(isUsableKey(key, now + 1000)).toBe(false);
    const lasting = mint().key;
    expect(isUsableKey(lasting, now + 1e12)).toBe(true);
    const [revoked] = revokeKey(addKey(EMPTY_STATE, lasting), lasting.prefix, NOW).keys;
    expect(isUsableKey(revoked!, now)).toBe(false);
  });

  test.each<[string, Partial<NewKey>]>([
    ["no name", { name: "" }],
    ["a name of two lines", { name: "a\nb" }],
    ["no scope", { scopes: [] }],
    ["an end in the past", { expiresAt: "2026-11-20T11:59:59Z" }],
    ["an end that is no time", { expiresAt: "soon" }],
  ])("is not made with %s", (_what, input) => {
    expect(() => mint(input)).toThrow(refusal("input_invalid"));
  });
});

describe("a key's name", () => {
  test("belongs to one key at a time", () => {
    const one = addKey(EMPTY_STATE, mint().key);
    expect(() => addKey(one, mint().key)).toThrow(refusal("name_taken"));
    const revoked = revokeKey(one, "laptop", NOW);
    const both = addKey(revoked, mint().key);
    expect(both.keys).toHaveLength(2);
    expect(requireLiveKey(both, "laptop")).toBe(both.keys[1]);
    expect(() => revokeKey(revoked, "laptop", NOW)).toThrow(refusal("not_found"));
  });

  test("is not that of the installation's own key", () => {
    expect(() => addKey(EMPTY_STATE, mint({ name: "dashboard" }).key)).toThrow(refusal("name_taken"));
  });
});
