import { describe, expect, test } from "vitest";
import { redact, redactText } from "./redact.ts";

describe("redact", () => {
  test.each([
    ["password"],
    ["new_password"],
    ["passwordHash"],
    ["password_hash"],
    ["client_secret"],
    ["api_key"],
    ["apiKey"],
    ["accessToken"],
    ["Authorization"],
    ["set-cookie"],
    ["private_key"],
    ["dsn"],
  ])("takes the value of %s away, whatever it is", (name) => {
    expect(redact({ [name]: "canary" })).toEqual({ [name]: "[redacted]" });
    expect(redact({ a: [{ [name]: { deep: "canary" } }] })).toEqual({ a: [{ [name]: "[redacted]" }] });
    expect(redact({ [name]: 1234 })).toEqual({ [name]: "[redacted]" });
  });

  test("keeps whether there is a secret, and what only sounds like one", () => {
    const plain = { has_password: true, password: null, name: "passenger", key: "laptop", prefix: "abc", bypass: "x" };
    expect(redact(plain)).toEqual(plain);
  });

  test.each([
    ["postgresql://app:canary@db:5432/x", "postgresql://app:[redacted]@db:5432/x"],
    ["redis://:canary@cache", "redis://:[redacted]@cache"],
    ["see postgres://u:p@ss/canary@h/db now", "see postgres://u:[redacted]@h/db now"],
    ["host=db password=canary user=x", "host=db password=[redacted] user=x"],
    ['{"password": "canary with spaces"}', '{"password": [redacted]}'],
    ["hl_AbCd2345_canary-canary-canary-canary-canary1", "hl_AbCd2345_[redacted]"],
    ["Authorization: Bearer canary-canary-canary", "Authorization: Bearer [redacted]"],
    ["$argon2id$v=19$m=19456,t=2,p=1$canary$canary", "[redacted]"],
    ["SCRAM-SHA-256$4096:canary$canary:canary", "[redacted]"],
    ["eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOjF9.c2ln", "[redacted]"],
    ["-----BEGIN PRIVATE KEY-----\ncanary", "[redacted]"],
  ])("takes the secret out of %s", (text, expected) => {
    expect(redactText(text)).toBe(expected);
    expect(redact({ note: [text] })).toEqual({ note: [expected] });
  });

  test("leaves other texts as they are, signs of control among them: they stay inside of JSON", () => {
    const texts = ["https://example.org/a?b=c", "a\nb", "\u001b[31mred", "mail ada@example.org", "größe 🐘"];
    expect(redact(texts)).toEqual(texts);
  });

  test.each([
    "x",
    "a://",
    "a://b:",
    "eyJ",
    "-eyJ",
    "password ",
    'password="',
    "-----BEGIN PRIVATE KEY-----",
    "Bearer ",
    "\0",
  ])("takes no long time for a long text of %j", (part) => {
    const started = performance.now();
    redactText(part.repeat(100_000 / part.length));
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test("makes storable what jsonb refuses", () => {
    expect(redact({ "a\0": "b\0", half: "\ud800" })).toEqual({ "a\\u0000": "b\\u0000", half: "\ufffd" });
  });

  test("ends at some depth", () => {
    let deep: unknown = "canary";
    for (let i = 0; i < 10_000; i++) deep = [deep];
    expect(JSON.stringify(redact(deep as never))).not.toContain("canary");
  });
});
