import { describe, expect, test } from "vitest";
import { errorMessage, errorRecord, errorTable, HomelabError, type ErrorCode } from "./errors.ts";

/** The exit codes that the command line documents; 130 is what a shell gives for Ctrl-C. */
const DOCUMENTED_EXITS = [1, 2, 3, 4, 5, 6, 7, 8, 130];

describe("the error table", () => {
  test.each(Object.entries(errorTable))("gives %s an HTTP status, a documented exit code and a title", (_code, row) => {
    expect(row.status).toBeGreaterThanOrEqual(200);
    expect(row.status).toBeLessThan(600);
    expect(DOCUMENTED_EXITS).toContain(row.exit);
    expect(row.title).toMatch(/^[A-Z].+[^.]$/);
  });

  test("names each code in snake_case, so that it can stand in a URL", () => {
    for (const code of Object.keys(errorTable)) expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
  });
});

describe("HomelabError", () => {
  test("carries code, hint, field errors and cause", () => {
    const cause = new Error("below");
    const errors = [{ field: "name", message: "too long" }];
    const error = new HomelabError("input_invalid", "it does not hold", { hint: "Make it shorter.", cause, errors });
    expect(error).toMatchObject({ code: "input_invalid", message: "it does not hold", hint: "Make it shorter." });
    expect(error.errors).toEqual(errors);
    expect(error.cause).toBe(cause);
    expect(error.name).toBe("HomelabError");
  });

  test("has no cause when none was given", () => {
    expect("cause" in new HomelabError("failed", "x")).toBe(false);
  });
});

describe("errorRecord", () => {
  test.each(Object.keys(errorTable) as ErrorCode[])("keeps the code %s", (code) => {
    expect(errorRecord(new HomelabError(code, "so it is"))).toEqual({ code, message: "so it is" });
  });

  test("keeps the hint where there is one", () => {
    const error = new HomelabError("busy", "taken", { hint: "Wait." });
    expect(errorRecord(error)).toEqual({ code: "busy", message: "taken", hint: "Wait." });
  });

  test("calls an unknown error failed, with its own words", () => {
    expect(errorRecord(new TypeError("x is not a function"))).toEqual({
      code: "failed",
      message: "x is not a function",
    });
    expect(errorRecord("thrown text")).toEqual({ code: "failed", message: "thrown text" });
  });
});

describe("errorMessage", () => {
  test("lets a refused connection speak through its first cause", () => {
    const refused = new AggregateError([new Error("connect ECONNREFUSED ::1:5432"), new Error("the other")], "");
    expect(errorMessage(refused)).toBe("connect ECONNREFUSED ::1:5432");
  });

  test("keeps the words of an AggregateError that has some", () => {
    expect(errorMessage(new AggregateError([new Error("inner")], "all failed"))).toBe("all failed");
  });

  test("says undefined and null as they are", () => {
    expect([errorMessage(undefined), errorMessage(null)]).toEqual(["undefined", "null"]);
  });
});
