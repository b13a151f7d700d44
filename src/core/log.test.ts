import { expect, test } from "vitest";
import { logLine } from "./log.ts";

test("an event is one line of JSON, whatever its texts hold", () => {
  const line = logLine("warn", "agent", 'first\nsecond \u001b[31m "quoted"', { pid: 7 });
  expect(line.endsWith("\n")).toBe(true);
  expect(line.slice(0, -1)).not.toMatch(/[\n\u001b]/);
  const { time, ...rest } = JSON.parse(line) as Record<string, unknown>;
  expect(rest).toEqual({ level: "warn", service: "agent", message: 'first\nsecond \u001b[31m "quoted"', pid: 7 });
  expect(Math.abs(Date.parse(String(time)) - Date.now())).toBeLessThan(5000);
});
