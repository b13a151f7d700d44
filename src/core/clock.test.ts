import { describe, expect, test } from "vitest";
import { sleep, systemClock, waitUntil } from "./clock.ts";

describe("waitUntil", () => {
  test("answers what the probe answers, as soon as that is something", async () => {
    const answers = [undefined, false, undefined, "ready"] as const;
    let asked = 0;
    const wait = { timeout: 5, every: 1, what: "it is ready" };
    expect(await waitUntil(async () => answers[asked++], wait)).toBe("ready");
    expect(asked).toBe(4);
  });

  test.each([0, "", null])("takes %j for an answer: only undefined and false are none", async (answer) =>
    expect(await waitUntil(async () => answer, { timeout: 1, what: "x" })).toBe(answer),
  );

  test("gives up after its time, and says what was waited for and why it is not so", async () => {
    const wait = {
      timeout: 0.03,
      every: 5,
      what: "PostgreSQL answers",
      why: async () => "Its log ends with: no space",
    };
    await expect(waitUntil(async () => undefined, wait)).rejects.toMatchObject({
      code: "deadline_passed",
      message: "PostgreSQL answers: not so after 0.03 s. Its log ends with: no space",
    });
  });

  test("says no why where there is none", async () => {
    const wait = { timeout: 0, what: "x", why: () => undefined };
    await expect(waitUntil(async () => false, wait)).rejects.toThrow(/^x: not so after 0 s$/);
  });

  test("asks once more after the time is up, so that a late answer counts", async () => {
    let asked = 0;
    const probe = async () => (await sleep(30), ++asked > 1);
    await expect(waitUntil(probe, { timeout: 0.02, every: 1, what: "x" })).rejects.toThrow("not so");
    expect(asked).toBe(1);
  });

  test("stops at once when the caller goes away", async () => {
    const caller = new AbortController();
    const waiting = waitUntil(async () => undefined, { timeout: 60, every: 60_000, signal: caller.signal, what: "x" });
    setTimeout(() => caller.abort(), 5);
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
  });

  test("lets the probe's own error through", async () => {
    const probe = async () => Promise.reject(new Error("broken"));
    await expect(waitUntil(probe, { timeout: 1, what: "x" })).rejects.toThrow("broken");
  });
});

test("the system's clock is the time of day", () => {
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000);
});
