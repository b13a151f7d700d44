import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { callerOf } from "./address.ts";
import { Throttle } from "./throttle.ts";

let throttle: Throttle;
beforeEach(() => {
  vi.useFakeTimers();
  throttle = new Throttle();
});
afterEach(() => vi.useRealTimers());

const pass = (seconds: number) => vi.advanceTimersByTime(seconds * 1000);

/** Seconds to wait, or 0 for a try that was let through (and fails). */
async function tried(account: string, address: string): Promise<number> {
  return throttle.attempt(account, address).then(
    () => 0,
    (error: { code: string; retryAfterSeconds: number }) => {
      expect(error.code).toBe("too_many_attempts");
      return error.retryAfterSeconds;
    },
  );
}

/** How many of some tries were let through. */
async function letThrough(tries: [account: string, address: string][]): Promise<number> {
  const waits = await Promise.all(tries.map(([account, address]) => tried(account, address)));
  return waits.filter((wait) => wait === 0).length;
}

const repeated = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

describe("wrong passwords", () => {
  test("of one account from one address: five in five minutes, however many at once", async () => {
    expect(await letThrough(repeated(1000, () => ["ada", "192.0.2.1"]))).toBe(5);
    pass(100);
    expect(await tried("ada", "192.0.2.1")).toBe(200);
    pass(200);
    expect(await letThrough(repeated(1000, () => ["ada", "192.0.2.1"]))).toBe(5);
  });

  test("from one address: twenty in five minutes, over all accounts", async () => {
    expect(await letThrough(repeated(1000, (i) => [`user${i}`, "192.0.2.1"]))).toBe(20);
    expect(await tried("ada", "192.0.2.2")).toBe(0);
  });

  test("an address that has no try left uses up no counter of an account", async () => {
    expect(await letThrough(repeated(20, (i) => [`user${i}`, "192.0.2.1"]))).toBe(20);
    pass(290);
    for (let i = 0; i < 10; i++) expect(await tried("ada", "192.0.2.1")).toBe(10);
    pass(10);
    expect(await letThrough(repeated(10, () => ["ada", "192.0.2.1"]))).toBe(5);
  });

  test("of one account from everywhere: a hundred in five minutes, and then fewer and fewer", async () => {
    const addresses = repeated(250, (i) => `198.51.100.${i}`);
    const flood = () => letThrough(addresses.map((address) => ["ada", address]));
    expect(await flood()).toBe(100);
    let more = 0;
    for (let seconds = 0; seconds < 290; seconds += 5) {
      pass(5);
      more += await flood();
    }
    // Without the account's own throttle it would be five from each address.
    expect(more).toBeGreaterThan(0);
    expect(more).toBeLessThan(200);
  });

  test("from everywhere do not keep the owner out for good, while the attack goes on", async () => {
    const attack = () => letThrough(repeated(250, (i) => ["ada", `198.51.100.${i}`]));
    await attack();
    await attack();
    const wait = await tried("ada", "192.0.2.1");
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(300);
    // It does not get longer by asking again, or by the attack.
    pass(wait / 2);
    await attack();
    expect(await tried("ada", "192.0.2.1")).toBeLessThanOrEqual(Math.ceil(wait / 2));
    pass(wait / 2);
    await attack();
    await (await throttle.attempt("ada", "192.0.2.1")).succeeded();
  });

  test("from everywhere are nothing to an address where the owner was lately", async () => {
    await letThrough(repeated(250, (i) => ["ada", `198.51.100.${i}`]));
    await (await throttle.attempt("ada", "192.0.2.1", true)).succeeded();
    const tries = await Promise.allSettled(repeated(50, () => throttle.attempt("ada", "192.0.2.1", true)));
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
  });

  test("of others are nothing to an account", async () => {
    await letThrough(repeated(500, (i) => ["eve", `198.51.100.${i % 250}`]));
    expect(await tried("ada", "192.0.2.1")).toBe(0);
  });

  test("are forgotten when the right one is given", async () => {
    for (let round = 0; round < 4; round++) {
      for (let wrong = 0; wrong < 4; wrong++) expect(await tried("ada", "192.0.2.1")).toBe(0);
      await (await throttle.attempt("ada", "192.0.2.1")).succeeded();
    }
  });

  test("on this machine's own socket are not counted", async () => {
    await expect(Promise.all(repeated(100, () => throttle.attempt("ada", null)))).resolves.toHaveLength(100);
  });
});

describe("wrong keys", () => {
  test("from one address: twenty in five minutes, and the first and the last are worth noting", async () => {
    const guesses = await Promise.allSettled(repeated(100, () => throttle.guess("192.0.2.1")));
    const counted = guesses.filter((guess) => guess.status === "fulfilled");
    expect(counted).toHaveLength(20);
    expect(counted.filter(({ value }) => value.isNotable)).toHaveLength(2);
    await expect(throttle.requireFewGuesses("192.0.2.1")).rejects.toMatchObject({ retryAfterSeconds: 300 });
    await expect(throttle.requireFewGuesses("192.0.2.2")).resolves.toBeUndefined();
    pass(300);
    await expect(throttle.requireFewGuesses("192.0.2.1")).resolves.toBeUndefined();
  });
});

test("more addresses than there can be take a bounded number of counters", async () => {
  for (let i = 0; i < 70_000; i++) await throttle.guess(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`).catch(() => {});
  expect(vi.getTimerCount()).toBeLessThanOrEqual(65_536);
});

describe("callerOf", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::9", "2001:db8:1:2::/64"],
    ["2001:0DB8:0001:0002::", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80::1"],
    ["fd12:3456::1", "fd12:3456::1"],
    ["64:ff9b::192.0.2.1", "64:ff9b:0:0::/64"],
    ["not an address", "not an address"],
  ])("%s counts as %s", (address, expected) => {
    expect(callerOf(address)).toBe(expected);
  });
});
