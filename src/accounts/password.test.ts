import { argon2Sync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { sleep } from "../core/clock.ts";
import { isBelowToday, PasswordHasher } from "./password.ts";

/** A hash with low costs, as an older version could have stored it. */
function weakHash(password: string, costs = { memory: 64, passes: 1, parallelism: 1 }): string {
  const nonce = Buffer.from("0123456789abcdef");
  const hash = argon2Sync("argon2id", { message: password, nonce, tagLength: 32, ...costs });
  const text = (bytes: Buffer) => bytes.toString("base64").replace(/=+$/, "");
  return `$argon2id$v=19$m=${costs.memory},t=${costs.passes},p=${costs.parallelism}$${text(nonce)}$${text(hash)}`;
}

const hasher = new PasswordHasher();

describe("a stored password", () => {
  test("is argon2id with 19 MiB, two passes and a salt of its own, and says so itself", async () => {
    const [one, other] = [await hasher.hash("correct horse"), await hasher.hash("correct horse")];
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(one).not.toBe(other);
    expect(await hasher.verify("correct horse", one)).toBe(true);
    expect(await hasher.verify("correct horse ", one)).toBe(false);
  });

  test("is checked by the costs that it was stored with, and to be written again when they are low", async () => {
    const weak = weakHash("correct horse");
    expect(await hasher.verify("correct horse", weak)).toBe(true);
    expect(isBelowToday(weak)).toBe(true);
    expect(isBelowToday(await hasher.hash("x"))).toBe(false);
  });

  test("may have been typed on a keyboard that sends an umlaut as two characters", async () => {
    expect(await hasher.verify("gro\u0308ße", await hasher.hash("größe"))).toBe(true);
  });

  test.each([
    ["none: an unknown user", undefined],
    ["none: somebody who signs in elsewhere", null],
    ["not a hash", "plain text"],
    ["more memory than there is", weakHash("x").replace("m=64", "m=99999999")],
    ["no pass at all", weakHash("x").replace("t=1", "t=0")],
    ["another algorithm", weakHash("x").replace("argon2id", "argon2d")],
  ])("that is %s fits no password", async (_name, stored) => {
    expect(await hasher.verify("x", stored)).toBe(false);
  });

  test("of absurd length is refused, and not looked at", async () => {
    expect(await hasher.verify("x".repeat(1_000_000), weakHash("x".repeat(1_000_000)))).toBe(false);
  });
});

describe("many at once", () => {
  test("take turns, and take the memory of two", async () => {
    const memory: number[] = [];
    let most = 0;
    const counting = new PasswordHasher(async (_algorithm, { memory: kibibytes, tagLength }) => {
      memory.push(kibibytes);
      most = Math.max(most, memory.length);
      await sleep(1);
      memory.pop();
      return Buffer.alloc(tagLength);
    });
    await Promise.all(Array.from({ length: 24 }, () => counting.verify("x", undefined)));
    expect([most, memory]).toEqual([2, []]);
  });

  test("go on after one that failed", async () => {
    const failing = new PasswordHasher(() => Promise.reject(new Error("no memory")));
    const all = await Promise.allSettled(Array.from({ length: 9 }, () => failing.verify("x", undefined)));
    expect(all.every(({ status }) => status === "rejected")).toBe(true);
  });

  test("are refused rather than kept waiting without end", async () => {
    const busy = new PasswordHasher();
    const all = await Promise.allSettled(Array.from({ length: 200 }, () => busy.verify("x", weakHash("x"))));
    const refused = all.filter(({ status }) => status === "rejected");
    expect(refused).toHaveLength(200 - 2 - 128);
    expect((refused[0] as PromiseRejectedResult).reason).toMatchObject({
      code: "too_many_attempts",
      retryAfterSeconds: 5,
    });
    expect(await busy.verify("x", weakHash("x"))).toBe(true);
  });
});
