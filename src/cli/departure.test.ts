import { describe, expect, test } from "vitest";
import { sleep } from "../core/clock.ts";
import { Departure } from "./departure.ts";

describe("a caller of an operation", () => {
  test("who presses Ctrl-C goes away, and what he asked for goes on", () => {
    const departure = new Departure({ flags: {} });
    process.emit("SIGINT");
    expect(departure.signal.aborted).toBe(true);
    expect(departure.error("Look there.")).toMatchObject({ code: "detached", hint: "Look there." });
    departure.end();
  });

  test.each(["0.02", "20ms"])("who waits no longer than %s goes away then", async (timeout) => {
    const departure = new Departure({ flags: { timeout } });
    await sleep(60);
    expect(departure.signal.aborted).toBe(true);
    expect(departure.error("")).toMatchObject({ code: "deadline_passed" });
    departure.end();
  });

  test("is heard no more at the end, and a time that no timer can hold is a long one", async () => {
    const before = process.listenerCount("SIGINT");
    const departure = new Departure({ flags: { timeout: "90d" } });
    await sleep(5);
    expect(departure.signal.aborted).toBe(false);
    departure.end();
    expect(process.listenerCount("SIGINT")).toBe(before);
  });

  test.each(["", "soon", "-1", "0"])("who says %j is not understood, and nothing is left listening", (timeout) => {
    const before = process.listenerCount("SIGINT");
    expect(() => new Departure({ flags: { timeout } })).toThrow("expected seconds");
    expect(process.listenerCount("SIGINT")).toBe(before);
  });
});
