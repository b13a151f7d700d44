import { describe, expect, test } from "vitest";
import { sleep } from "../core/clock.ts";
import { orAborted, startDeadline } from "./deadline.ts";

const never = new AbortController().signal;

describe("startDeadline", () => {
  test("aborts with the step's name when its time is up", async () => {
    const deadline = startDeadline("copy", 0.03, never);
    await sleep(100);
    expect(deadline.signal.reason).toMatchObject({
      code: "deadline_passed",
      message: "copy made no progress for 0.03 s",
    });
  });

  test("counts anew from each extension", async () => {
    const deadline = startDeadline("copy", 0.8, never);
    for (let i = 0; i < 5; i++) {
      await sleep(200);
      deadline.extend();
    }
    expect(deadline.signal.aborted).toBe(false);
    deadline.clear();
  });

  test("never aborts once it was cleared", async () => {
    const caller = new AbortController();
    const deadline = startDeadline("copy", 0.02, caller.signal);
    deadline.clear();
    caller.abort();
    await sleep(60);
    expect(deadline.signal.aborted).toBe(false);
  });

  test("follows the caller, also one that has gone already", () => {
    const caller = new AbortController();
    const deadline = startDeadline("copy", 60, caller.signal);
    caller.abort(new Error("gone"));
    expect(deadline.signal.reason).toMatchObject({ message: "gone" });
    const late = startDeadline("copy", 60, caller.signal);
    expect(late.signal.aborted).toBe(true);
    deadline.clear();
    late.clear();
  });
});

describe("orAborted", () => {
  test("answers the work's own answer or error", async () => {
    expect(await orAborted(Promise.resolve(5), never)).toBe(5);
    await expect(orAborted(Promise.reject(new Error("own")), never)).rejects.toThrow("own");
  });

  test("gives work up that does not listen", async () => {
    const caller = new AbortController();
    const waiting = orAborted(new Promise(() => {}), caller.signal);
    caller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await expect(orAborted(new Promise(() => {}), AbortSignal.abort("words"))).rejects.toThrow("words");
  });
});
