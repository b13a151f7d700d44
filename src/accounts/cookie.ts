/** How the cookie is set: the options of @fastify/cookie. */
export interface CookieOptions {
  httpOnly: true;
  sameSite: "lax";
  path: "/";
  secure: boolean;
  /** Seconds. */
  maxAge: number;
}

/**
 * The session cookie's name by the scheme that the browser really uses. `__Host-` makes the browser refuse it from
 * other hosts and from plain http; without TLS there is no such cookie, and one of the other name is never looked at
 * under https: whoever can answer for http could have set it.
 */
export const sessionCookieName = (https: boolean): string => (https ? "__Host-homelab_session" : "homelab_session");

export const sessionCookieOptions = (https: boolean, maxAge: number): CookieOptions => ({
  httpOnly: true,
  sameSite: "lax",
  path: "/",
  secure: https,
  maxAge,
});
