import { describe, expect, test } from "vitest";
import { refusalOf } from "./no-request.ts";

describe("what never became a request", () => {
  test.each([
    ["HPE_HEADER_OVERFLOW", "431 Request Header Fields Too Large", "head_too_large"],
    ["ERR_HTTP_REQUEST_TIMEOUT", "408 Request Timeout", "request_timeout"],
    ["HPE_INVALID_METHOD", "400 Bad Request", "request_malformed"],
  ])("%s is answered with %s, as a problem like any other", (code, line, problem) => {
    const [head, body] = refusalOf(Object.assign(new Error("x"), { code })).split("\r\n\r\n") as [string, string];
    expect(head.split("\r\n")).toEqual(
      expect.arrayContaining([`HTTP/1.1 ${line}`, "connection: close", `content-length: ${body.length}`]),
    );
    const told = JSON.parse(body) as { code: string; request_id: string };
    expect(told.code).toBe(problem);
    expect(head).toContain(`x-request-id: ${told.request_id}`);
  });

  test("has no body where the head alone was asked for", () => {
    const error = Object.assign(new Error("x"), {
      code: "HPE_HEADER_OVERFLOW",
      rawPacket: Buffer.from("HEAD / HTTP/1.1"),
    });
    expect(refusalOf(error)).toMatch(/^HTTP\/1\.1 431 [^]*\r\n\r\n$/);
  });
});
