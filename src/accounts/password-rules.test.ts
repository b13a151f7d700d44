import { describe, expect, test } from "vitest";
import { COMMON_PASSWORDS } from "./common-passwords.ts";
import { passwordFault, requireGoodPassword } from "./password-rules.ts";

describe("a new password", () => {
  test.each([
    ["a sentence", "vier Worte sind lang genug"],
    ["eight characters", "kx7-wq2z"],
    ["256 characters", "ab".repeat(128)],
    ["eight animals, which count as eight", "🐘🐎🐓🐖🐄🐑🐐🐕"],
    ["quotes, spaces and a line's end, as they are pasted", "a'b\"c\\d e\tf\n"],
    ["another script", "пароль длинный"],
    ["part of the name in it", "ada-und-noch-etwas"],
  ])("may be %s", (_name, password) => {
    expect(passwordFault(password, "ada")).toBeUndefined();
  });

  test.each([
    ["", /too short/],
    ["kx7-wq2", /too short/],
    ["🐘🐎🐓🐖", /too short/],
    ["ab".repeat(128) + "c", /too long/],
    ["password", /tries first/],
    ["Password123", /tries first/],
    ["HOMELAB1", /tries first/],
    ["ｐａｓｓｗｏｒｄ", /tries first/],
    ["zzzzzzzzzzzz", /again and again/],
    ["ada.lovelace", /user's name/],
    ["ADA.Lovelace", /user's name/],
    ["ecalevol.ada", /user's name/],
  ])("is refused when it is %j", (password, fault) => {
    expect(passwordFault(password, "ada.lovelace")).toMatch(fault);
  });

  test("is in no sentence of the refusal", () => {
    expect(() => requireGoodPassword("homelab123", "ada")).toThrow(
      expect.objectContaining({
        code: "input_invalid",
        message: expect.not.stringContaining("homelab123") as string,
        errors: [{ field: "password", message: expect.not.stringContaining("homelab123") as string }],
      }) as Error,
    );
  });
});

test("the list of common passwords holds only what the other rules would let through, each once", () => {
  const words = COMMON_PASSWORDS.trim().split(/\s+/);
  expect(words.length).toBeGreaterThan(500);
  expect(new Set(words).size).toBe(words.length);
  for (const word of words) {
    expect(word).toBe(word.normalize("NFKC").toLowerCase());
    expect(Array.from(word).length).toBeGreaterThanOrEqual(8);
  }
});
