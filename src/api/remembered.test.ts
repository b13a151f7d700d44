import { describe, expect, test, vi } from "vitest";
import { HomelabError } from "../core/errors.ts";
import { Remembered } from "./remembered.ts";

const away = () => Promise.reject(new HomelabError("engine_unreachable", "gone"));

describe("a remembered report", () => {
  test("is looked at once by all who ask at once, and not again while it is fresh", async () => {
    const memory = new Remembered();
    const look = vi.fn<() => Promise<string>>(async () => "seen");
    await Promise.all([memory.ask("a", { freshFor: 1000 }, look), memory.ask("a", { freshFor: 1000 }, look)]);
    await memory.ask("a", { freshFor: 1000 }, look);
    expect(look).toHaveBeenCalledTimes(1);
    memory.forget("a");
    await memory.ask("a", { freshFor: 1000 }, look);
    expect(look).toHaveBeenCalledTimes(2);
  });

  test("keeps its last answer with its age when what it looks at is away", async () => {
    const memory = new Remembered();
    const first = await memory.ask("a", { freshFor: 0 }, async () => 1);
    const second = await memory.ask("a", { freshFor: 0 }, away);
    expect(first.stale).toBe(false);
    expect(second).toEqual({ value: 1, stale: true, observedAt: first.observedAt });
    expect(await memory.ask("a", { freshFor: 0 }, async () => 2)).toMatchObject({ value: 2, stale: false });
  });

  test("is forgotten once five hundred others were asked for since: what callers put into a question is without end", async () => {
    const memory = new Remembered();
    const look = vi.fn<() => Promise<string>>(async () => "seen");
    const ask = (key: string) => memory.ask(key, { freshFor: 60_000 }, look);
    for (let i = 0; i < 500; i++) await ask(`report ${i}`);
    await ask("report 0");
    expect(look).toHaveBeenCalledTimes(500);
    await ask("report 500");
    await ask("report 0");
    expect(look).toHaveBeenCalledTimes(502);
  });

  test("does not wait longer than its patience, and takes the late answer for the next caller", async () => {
    const memory = new Remembered();
    await memory.ask("a", { freshFor: 0 }, async () => "old");
    const late = Promise.withResolvers<string>();
    expect(await memory.ask("a", { freshFor: 0, patience: 20 }, () => late.promise)).toMatchObject({
      value: "old",
      stale: true,
    });
    late.resolve("new");
    await late.promise;
    expect(await memory.ask("a", { freshFor: 60_000 }, away)).toMatchObject({ value: "new", stale: false });
  });

  test("throws what went wrong where nothing was ever seen, and a refusal always", async () => {
    const memory = new Remembered();
    await expect(memory.ask("a", { freshFor: 0 }, away)).rejects.toMatchObject({ code: "engine_unreachable" });
    await memory.ask("a", { freshFor: 0 }, async () => 1);
    const refusal = () => Promise.reject(new HomelabError("not_found", "no"));
    await expect(memory.ask("a", { freshFor: 0 }, refusal)).rejects.toMatchObject({ code: "not_found" });
  });
});
