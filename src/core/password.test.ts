import { expect, test } from "vitest";
import { generatePassword } from "./password.ts";

test("a password has the length that was asked for, and only characters that need no quoting anywhere", () => {
  for (const length of [1, 32, 64]) expect(generatePassword(length)).toMatch(new RegExp(`^[A-Za-z2-9]{${length}}$`));
  expect(generatePassword()).toHaveLength(32);
  expect(encodeURIComponent(generatePassword(500))).toHaveLength(500);
});

test("a password holds no letter that looks like a digit or another letter", () => {
  expect(generatePassword(5000)).not.toMatch(/[IOl01]/);
});

test("no two passwords are the same, and each character of the alphabet comes up", () => {
  expect(new Set(Array.from({ length: 500 }, () => generatePassword())).size).toBe(500);
  expect(new Set(generatePassword(20_000)).size).toBe(56);
});
