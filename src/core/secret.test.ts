import { format, inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { logLine } from "./log.ts";
import { REDACTED, Secret } from "./secret.ts";

const CANARY = "canary-7f3a";
const secret = new Secret(CANARY);

describe("a secret", () => {
  test("gives its value to who asks for it", () => {
    expect(secret.reveal()).toBe(CANARY);
  });

  test.each<[string, () => string]>([
    ["a template string", () => `password ${secret as unknown as string}`],
    ["String()", () => String(secret)],
    ["concatenation", () => "password=" + (secret as unknown as string)],
    ["JSON", () => JSON.stringify({ secret, list: [secret] })],
    ["util.inspect, nested and with hidden members", () => inspect({ a: { secret } }, { depth: 9, showHidden: true })],
    ["util.format", () => format("%s %o %j", secret, secret, secret)],
    ["an error that carries it", () => inspect(new Error("no", { cause: { secret } }), { depth: 9 })],
    ["a line of the log", () => logLine("info", "agent", "x", { secret: secret as unknown as string })],
  ])("prints as [redacted] in %s", (_name, print) => {
    expect(print()).toContain(REDACTED);
    expect(print()).not.toContain(CANARY);
  });

  test("has no property that a copy or a walk over keys would take along", () => {
    expect(Object.keys(secret)).toEqual([]);
    expect(Object.getOwnPropertyNames(secret)).toEqual([]);
    expect(JSON.stringify(Object.assign({}, secret))).toBe("{}");
    expect(inspect(structuredClone(secret))).not.toContain(CANARY);
  });
});
