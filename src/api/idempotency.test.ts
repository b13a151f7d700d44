import { describe, expect, test, vi } from "vitest";
import type { Attempt, Call, Mounted, Sent } from "./call.ts";
import type { Endpoint } from "./endpoint.ts";
import { Idempotency, type KeptAnswer } from "./idempotency.ts";

const POST = { method: "POST" } as Mounted;

function call(key: string | undefined, body = "{}", actor = "key:a"): Call<Endpoint> {
  const headers = key === undefined ? {} : { "idempotency-key": key };
  return {
    actor: { name: actor },
    request: { method: "POST", url: "/api/x", headers, rawBody: body },
  } as unknown as Call<Endpoint>;
}

describe("an Idempotency-Key", () => {
  test("lets 50 at once have one effect and the same answer", async () => {
    const once = new Idempotency();
    let n = 0;
    const work = vi.fn<() => Promise<Sent>>(async () => ({ status: 201, body: ++n }));
    const answers = await Promise.all(Array.from({ length: 50 }, () => once.once(call("k"), POST, work)));
    expect(work).toHaveBeenCalledTimes(1);
    expect(new Set(answers)).toEqual(new Set([{ status: 201, body: 1 }]));
  });

  test("belongs to its caller, and to its request", async () => {
    const once = new Idempotency();
    const work = vi.fn<() => Promise<Sent>>(async () => ({ status: 201 }));
    await once.once(call("k"), POST, work);
    await once.once(call("k", "{}", "key:b"), POST, work);
    expect(work).toHaveBeenCalledTimes(2);
    await expect(once.once(call("k", '{"other":1}'), POST, work)).rejects.toMatchObject({
      code: "idempotency_mismatch",
    });
  });

  test("keeps no failure: the same may be tried again", async () => {
    const once = new Idempotency();
    await expect(once.once(call("k"), POST, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await once.once(call("k"), POST, async () => ({ status: 201 }))).toEqual({ status: 201 });
  });

  test("outlives the process by its store, and the store's absence", async () => {
    const rows = new Map<string, KeptAnswer>();
    const store = {
      find: async (id: string) => rows.get(id),
      keep: async (id: string, kept: KeptAnswer) => void rows.set(id, kept),
    };
    await new Idempotency(store).once(call("k"), POST, async () => ({ status: 201, body: "first" }));
    const again = await new Idempotency(store).once(call("k"), POST, async () => ({ status: 201, body: "second" }));
    expect(again).toEqual({ status: 201, body: "first" });
    const absent = { find: () => Promise.reject(new Error("away")), keep: () => Promise.reject(new Error("away")) };
    expect(await new Idempotency(absent).once(call("k"), POST, async () => ({ status: 201 }))).toEqual({ status: 201 });
  });

  test("whose hub ended in between is known to have been begun, and is answered by the next one", async () => {
    const rows = new Map<string, KeptAnswer>();
    const store = {
      find: async (id: string) => rows.get(id),
      keep: async (id: string, kept: KeptAnswer) => void rows.set(id, kept),
    };
    const begun: boolean[] = [];
    const ends = async (attempt: Attempt): Promise<Sent> => {
      begun.push(attempt.isBegun);
      await attempt.begin();
      return { status: 201, body: "made" };
    };
    void new Idempotency(store).once(call("k"), POST, async (attempt) => {
      await ends(attempt);
      return new Promise<Sent>(() => {});
    });
    await vi.waitFor(() => expect(rows.size).toBe(1));
    await expect(new Idempotency(store).once(call("k", "{ }"), POST, ends)).rejects.toMatchObject({
      code: "idempotency_mismatch",
    });
    for (let i = 0; i < 2; i++)
      expect(await new Idempotency(store).once(call("k"), POST, ends)).toEqual({ status: 201, body: "made" });
    expect(begun).toEqual([false, true]);
  });

  test.each(["", "a b", "ü", "x".repeat(256)])("is refused as %j", async (key) => {
    await expect(new Idempotency().once(call(key), POST, async () => ({ status: 201 }))).rejects.toMatchObject({
      code: "input_invalid",
    });
  });
});
