import { describe, expect, test } from "vitest";
import { isSetupNeeded, newSetupLink, useSetupLink, withSetupLink } from "./setup.ts";
import { EMPTY_STATE, instant } from "./state.ts";
import { addUser } from "./users.ts";

const now = Date.parse("2026-11-20T12:00:00.000Z");
const admin = { name: "ada", passwordHash: "x" };
const refusal = (code: string) => expect.objectContaining({ code }) as Error;

describe("a setup link", () => {
  const { link, token } = newSetupLink(now);
  const state = withSetupLink(EMPTY_STATE, link);

  test("makes one admin, once", () => {
    const after = useSetupLink(state, token, admin, now);
    expect(after.users).toMatchObject([{ name: "ada", role: "admin" }]);
    expect(after.setup).toBeNull();
    expect(() => useSetupLink(after, token, { ...admin, name: "eve" }, now)).toThrow(refusal("not_allowed"));
  });

  test("is kept as a hash", () => {
    expect(JSON.stringify(state)).not.toContain(token);
  });

  test("works for a day", () => {
    expect(() => useSetupLink(state, token, admin, now + 24 * 3600_000 - 1)).not.toThrow();
    expect(() => useSetupLink(state, token, admin, now + 24 * 3600_000)).toThrow(refusal("not_signed_in"));
  });

  test("stops working when there is a newer one", () => {
    const newer = newSetupLink(now);
    const replaced = withSetupLink(state, newer.link);
    expect(() => useSetupLink(replaced, token, admin, now)).toThrow(refusal("not_signed_in"));
    expect(() => useSetupLink(replaced, newer.token, admin, now)).not.toThrow();
  });

  test.each(["", "x", token.slice(1), `${token}=`])("is not %j", (wrong) => {
    expect(() => useSetupLink(state, wrong, admin, now)).toThrow(refusal("not_signed_in"));
    expect(() => useSetupLink(EMPTY_STATE, wrong, admin, now)).toThrow(refusal("not_signed_in"));
  });
});

test("once there is an admin nothing of this works any more", () => {
  const { link, token } = newSetupLink(now);
  const state = useSetupLink(withSetupLink(EMPTY_STATE, link), token, admin, now);
  expect(isSetupNeeded(state)).toBe(false);
  expect(() => useSetupLink(state, token, { ...admin, name: "eve" }, now)).toThrow(refusal("not_allowed"));
  expect(() => withSetupLink(state, newSetupLink(now).link)).toThrow(refusal("not_allowed"));
});

test("other users are not what is missing", () => {
  const state = addUser(EMPTY_STATE, { name: "bob", role: "operator", passwordHash: "x" }, instant(now));
  expect(isSetupNeeded(state)).toBe(true);
});
