import { describe, expect, test } from "vitest";
import { sessionCookieName, sessionCookieOptions } from "./cookie.ts";
import { DEFAULT_POLICY, isLiveSession, mergeSession, openSession, withoutEnded, withSessions } from "./sessions.ts";
import { EMPTY_STATE, instant, type AccountsState, type User } from "./state.ts";
import { hashToken } from "./tokens.ts";
import { addUser, changeUser, requireUser } from "./users.ts";

const now = Date.parse("2026-11-20T12:00:00.000Z");
const HOUR = 3600_000;
const DAY = 24 * HOUR;
const state = addUser(EMPTY_STATE, { name: "ada", role: "viewer", passwordHash: "x" }, instant(now));
const ada: User = requireUser(state, "ada");
const open = (at = now, address: string | null = "192.0.2.1") => openSession(ada, { address }, DEFAULT_POLICY, at);

describe("a session", () => {
  test("has a token of 256 random bits, of which a hash is kept", () => {
    const { session, token } = open();
    expect(Buffer.from(token, "base64url")).toHaveLength(32);
    expect(session.tokenHash).toBe(hashToken(token));
    expect(JSON.stringify(session)).not.toContain(token);
    expect(open().token).not.toBe(token);
  });

  test("ends after 12 hours without a request", () => {
    const { session } = open();
    expect(isLiveSession(session, DEFAULT_POLICY, now + 12 * HOUR - 1)).toBe(true);
    expect(isLiveSession(session, DEFAULT_POLICY, now + 12 * HOUR)).toBe(false);
    const seen = { ...session, seenAt: instant(now + 11 * HOUR) };
    expect(isLiveSession(seen, DEFAULT_POLICY, now + 22 * HOUR)).toBe(true);
  });

  test("ends after 30 days, however busy it is", () => {
    const busy = { ...open().session, seenAt: instant(now + 30 * DAY - 1) };
    expect(isLiveSession(busy, DEFAULT_POLICY, now + 30 * DAY - 1)).toBe(true);
    expect(isLiveSession(busy, DEFAULT_POLICY, now + 30 * DAY)).toBe(false);
  });

  test("is over when it was revoked", () => {
    expect(isLiveSession({ ...open().session, revokedAt: instant(now) }, DEFAULT_POLICY, now)).toBe(false);
  });

  test("keeps of a browser's name what can be stored", () => {
    const userAgent = `a\0b${"x".repeat(300)}`;
    const { session } = openSession(ada, { address: null, userAgent }, DEFAULT_POLICY, now);
    expect(session.userAgent).toMatch(/^abx{197}$/);
  });
});

describe("sessions that are written later", () => {
  const { session } = open();

  test("are added once, however often", () => {
    const once = withSessions(state, [session], instant(now));
    expect(withSessions(once, [session], instant(now)).sessions).toEqual([session]);
    expect(withSessions(state, [], instant(now))).toBe(state);
  });

  test("never bring one back that was ended", () => {
    const ended = { ...session, revokedAt: instant(now + 1) };
    expect(mergeSession(ended, session).revokedAt).toBe(ended.revokedAt);
    expect(mergeSession(session, ended).revokedAt).toBe(ended.revokedAt);
  });

  test("keep the later of two uses", () => {
    const seen = { ...session, seenAt: instant(now + HOUR), provenAt: instant(now + HOUR) };
    for (const merged of [mergeSession(session, seen), mergeSession(seen, session)]) expect(merged).toEqual(seen);
  });

  const late = (after: AccountsState) => withSessions(after, [session], instant(now + HOUR)).sessions;

  test("are left out when their user is gone", () => {
    expect(late({ ...state, users: [] })).toEqual([]);
  });

  test.each([
    ["the password", { passwordHash: "another" }],
    ["the role", { role: "admin" as const }],
  ])("are ended when %s was changed meanwhile", (_what, change) => {
    const after = changeUser(state, "ada", change, { now: instant(now + 1) });
    expect(late(after)).toEqual([{ ...session, revokedAt: instant(now + HOUR) }]);
  });
});

test("what ended is forgotten after a day", () => {
  const revoked = { ...open().session, revokedAt: instant(now) };
  const setup = { tokenHash: "x", expiresAt: instant(now + 25 * HOUR) };
  const full = { ...state, sessions: [revoked, open(now + 10 * HOUR).session], setup };
  expect(withoutEnded(full, DEFAULT_POLICY, now + DAY - 1)).toBe(full);
  expect(withoutEnded(full, DEFAULT_POLICY, now + DAY).sessions).toHaveLength(1);
  expect(withoutEnded(full, DEFAULT_POLICY, now + 25 * HOUR).setup).toBeNull();
});

test("of a user with very many sessions the last ones are kept, and another user's too", () => {
  const bob = addUser(state, { name: "bob", role: "viewer", passwordHash: "x" }, instant(now));
  const own = Array.from({ length: 300 }, (_, i) => open(now + i).session);
  const other = { ...open().session, userId: requireUser(bob, "bob").id };
  const { sessions } = withoutEnded({ ...bob, sessions: [other, ...own] }, DEFAULT_POLICY, now + 300);
  expect(new Set(sessions)).toEqual(new Set([other, ...own.slice(100)]));
});

describe("the cookie", () => {
  test("is bound to the host and to https where there is https, and has another name where there is none", () => {
    expect(sessionCookieName(true)).toBe("__Host-homelab_session");
    expect(sessionCookieName(false)).toBe("homelab_session");
    const shared = { httpOnly: true, sameSite: "lax", path: "/", maxAge: 60 };
    expect(sessionCookieOptions(true, 60)).toEqual({ ...shared, secure: true });
    expect(sessionCookieOptions(false, 60)).toEqual({ ...shared, secure: false });
  });
});
