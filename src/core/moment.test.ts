import { expect, test } from "vitest";
import { momentStamp, parseMoment } from "./moment.ts";

test("a moment with a zone is read as what it is, with all its digits", () => {
  expect(parseMoment("2026-11-20T14:05:07.123456Z")).toBe("2026-11-20T14:05:07.123456Z");
  expect(parseMoment("2026-11-20 14:05:07+01:00")).toBe("2026-11-20T13:05:07Z");
  expect(parseMoment("2026-11-20T00:05+0130")).toBe("2026-11-19T22:35:00Z");
});

test("one without a zone is local", () => {
  expect(parseMoment("2026-11-20 14:05")).toBe(new Date(2026, 10, 20, 14, 5).toISOString().replace(".000", ""));
  expect(parseMoment("2026-11-20")).toBe(new Date(2026, 10, 20).toISOString().replace(".000", ""));
});

test.each([
  "",
  "yesterday",
  "14:05",
  "2026-11-31",
  "2026-13-01 10:00",
  "2026-11-20 25:00",
  "2026-11-20T14:05:07.1234567Z",
])("%j is no moment", (text) => expect(parseMoment(text)).toBeUndefined());

test("the stamp of a moment is local, to the minute", () => {
  expect(momentStamp(new Date(2026, 10, 2, 4, 5, 59).toISOString())).toBe("20261102_0405");
});
