import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { errorTable, HomelabError, type ErrorCode } from "../core/errors.ts";
import { reportError } from "./report-error.ts";

let text = "";
let toStandardOutput = "";
beforeEach(() => {
  text = toStandardOutput = "";
  vi.spyOn(process.stderr, "write").mockImplementation((chunk) => ((text += String(chunk)), true));
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => ((toStandardOutput += String(chunk)), true));
});
afterEach(() => vi.restoreAllMocks());

const plain = { json: false, debug: false };
const json = { json: true, debug: false };

describe("an error", () => {
  test("is said with its hint on standard error, and standard output stays clean", () => {
    expect(
      reportError(new HomelabError("not_found", "there is no database shpo", { hint: "Did you mean shop?" }), plain),
    ).toBe(7);
    expect(text).toBe("error: there is no database shpo\n       Did you mean shop?\n");
    expect(toStandardOutput).toBe("");
  });

  test.each(Object.keys(errorTable) as ErrorCode[])("with the code %s ends with the exit code of the table", (code) => {
    expect(reportError(new HomelabError(code, "x"), plain)).toBe(errorTable[code].exit);
    expect(reportError(new HomelabError(code, "x"), json)).toBe(errorTable[code].exit);
  });

  test("of several lines is indented", () => {
    reportError(new HomelabError("configuration_invalid", "homelab.yaml:1:1 a: b\nhomelab.yaml:2:1 c: d"), plain);
    expect(text).toBe("error: homelab.yaml:1:1 a: b\n       homelab.yaml:2:1 c: d\n");
  });

  test("cannot steer the terminal", () => {
    reportError(new HomelabError("failed", "no \u001b[2J\u202ename\u0007", { hint: "\u001b[31mred\nline" }), plain);
    expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
  });

  test("says where it came from only when that is asked", () => {
    const error = new HomelabError("failed", "x");
    reportError(error, plain);
    expect(text).not.toContain("report-error.test.ts");
    reportError(error, { json: false, debug: true });
    expect(text).toContain("report-error.test.ts");
  });

  test("that the file system refuses is not allowed, and any other unknown one has failed", () => {
    expect(reportError(Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" }), plain)).toBe(4);
    expect(reportError(new TypeError("x is not a function"), plain)).toBe(1);
    expect(reportError("a word", plain)).toBe(1);
    expect(reportError(undefined, plain)).toBe(1);
  });
});

describe("with --json", () => {
  test("an error is one line on standard error, as the API would answer it", () => {
    const errors = [{ field: "name", message: "too long" }];
    reportError(
      new HomelabError("input_invalid", "name: too long\nand more", { hint: "Make it shorter.", errors }),
      json,
    );
    expect(text.split("\n")).toHaveLength(2);
    expect(JSON.parse(text)).toEqual({
      type: expect.stringMatching(/\binput_invalid$/) as string,
      title: "The input does not hold",
      status: 422,
      detail: "name: too long\nand more",
      code: "input_invalid",
      hint: "Make it shorter.",
      errors,
    });
  });

  test("an unknown error is one too", () => {
    reportError(new Error("broken"), json);
    expect(JSON.parse(text)).toMatchObject({ code: "failed", status: 500, detail: "broken" });
    expect(JSON.parse(text)).not.toHaveProperty("hint");
  });
});
