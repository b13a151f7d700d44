import type { FastifyRequest } from "fastify";
import { sessionCookieName, sessionCookieOptions } from "../../accounts/cookie.ts";
import type { SignedIn, SignInRequest } from "../../accounts/sign-in.ts";
import { addressOf, isHttps } from "../caller.ts";

/** The token that this browser has now. */
export const ownToken = (request: FastifyRequest): string | undefined =>
  request.cookies[sessionCookieName(isHttps(request))];

/** What is known of a browser that signs in. */
export const requestOf = (request: FastifyRequest): SignInRequest => ({
  browser: { address: addressOf(request), userAgent: request.headers["user-agent"]?.slice(0, 300) ?? null },
  requestId: request.id,
  previousToken: ownToken(request),
});

/** The header that signs a browser in. */
export function sessionCookie(request: FastifyRequest, { token, maxAge }: SignedIn): Record<string, string> {
  const https = isHttps(request);
  return {
    "set-cookie": request.server.serializeCookie(sessionCookieName(https), token, sessionCookieOptions(https, maxAge)),
  };
}

/** The header that makes a browser forget. */
export function clearedCookie(request: FastifyRequest): Record<string, string> {
  const https = isHttps(request);
  return { "set-cookie": request.server.serializeCookie(sessionCookieName(https), "", sessionCookieOptions(https, 0)) };
}
