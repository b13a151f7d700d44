import { ClientError } from "openid-client";
import { expect, test } from "vitest";
import { sso } from "../config/sso.ts";
import { HomelabError } from "../core/errors.ts";
import { ssoError } from "./sso-errors.ts";

const settings = sso.parse({ issuer: "https://auth.example.com", client_id: "hub", default_role: "viewer" });

test.each([
  ["a refused connection", new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") }), "ECONNREFUSED"],
  ["what nobody expected", new ClientError("something went wrong", { cause: new Error("read EIO") }), "read EIO"],
  ["no reason at all", new ClientError("something went wrong"), "something went wrong"],
  ["a status", coded("OAUTH_RESPONSE_IS_NOT_CONFORM", new Response("", { status: 503 })), "HTTP status 503"],
  ["a late answer", coded("OAUTH_TIMEOUT", new DOMException("it timed out", "TimeoutError")), "it timed out"],
])("%s means that the provider is not available", (_what, error, words) => {
  expect(ssoError(error, settings)).toMatchObject({ code: "sso_unavailable", message: expect.stringContaining(words) });
});

test("a check that failed is named without what it looked at", () => {
  const cause = new Error('unexpected JWT "aud" (audience) claim value', { cause: { claims: { aud: "stranger" } } });
  const error = ssoError(coded("OAUTH_JWT_CLAIM_COMPARISON_FAILED", cause), settings);
  expect(error).toMatchObject({ code: "sso_failed", message: expect.stringContaining('"aud"') });
  expect(error.cause).toBeUndefined();
});

test("an error of ours stays as it is", () => {
  const error = new HomelabError("sso_refused", "not you");
  expect(ssoError(error, settings)).toBe(error);
});

function coded(code: string, cause: unknown): Error {
  return Object.assign(new ClientError("a check failed", { cause }), { code });
}
