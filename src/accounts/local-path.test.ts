import fc from "fast-check";
import { expect, test } from "vitest";
import { localPath } from "./local-path.ts";

test.each(["/", "/databases", "/databases/shop?tab=users#top", "/a%2Fb/", "/a:b@c"])("%s is a page of ours", (path) => {
  expect(localPath(path)).toBe(path);
});

test.each([
  "",
  "databases",
  "//evil.example",
  "///evil.example",
  "/\\evil.example",
  "\\\\evil.example",
  "/\t/evil.example",
  "/\n/evil.example",
  "/.//evil.example",
  "/a/..//evil.example",
  "https://evil.example",
  "https:/evil.example",
  "javascript:alert(1)",
  " /databases",
  "/dätabases",
  `/${"a".repeat(501)}`,
])("%j becomes the first page", (path) => {
  expect(localPath(path)).toBe("/");
});

test("whatever is asked for, a browser stays with us", () => {
  const part = fc.constantFrom("/", "\\", ".", "..", ":", "@", "evil.example", "\t", "%2f", "?", "#", "a");
  const text = fc.oneof(
    fc.array(part).map((parts) => parts.join("")),
    fc.string(),
  );
  fc.assert(
    fc.property(text, (asked) => {
      const path = localPath(asked);
      expect(path).toMatch(/^\/(?![/\\])/);
      expect(new URL(path, "https://hub.example").host).toBe("hub.example");
    }),
  );
});
