import { describe, expect, test } from "vitest";
import { openSession, DEFAULT_POLICY } from "./sessions.ts";
import { EMPTY_STATE, type AccountsState } from "./state.ts";
import { addUser, changeUser, removeUser, requireUser, userOfSubject, viewUser, type NewUser } from "./users.ts";

const T0 = "2026-11-20T12:00:00.000Z";
const T1 = "2026-11-20T13:00:00.000Z";
const sso = { issuer: "https://id.example", subject: "42" };

const user = (name: string, more: Partial<NewUser> = {}): NewUser => ({
  name,
  role: "viewer",
  passwordHash: `hash of ${name}`,
  ...more,
});
const stateOf = (...users: NewUser[]): AccountsState =>
  users.reduce((state, each) => addUser(state, each, T0), EMPTY_STATE);
const refusal = (code: string) => expect.objectContaining({ code }) as Error;

/** The same with a session for each user. */
function signedIn(state: AccountsState): AccountsState {
  const sessions = state.users.map(
    (each) => openSession(each, { address: null }, DEFAULT_POLICY, Date.parse(T0)).session,
  );
  return { ...state, sessions };
}

describe("a user's name", () => {
  test.each(["ada", "a", "a.b_c-d9", "a".repeat(63)])("may be %s", (name) => {
    expect(requireUser(stateOf(user(name)), name)).toMatchObject({ name, displayName: name, disabled: false });
  });

  test.each(["", "Ada", "9a", "a b", "a\nb", "a/b", "_a", "größe", "a".repeat(64), "../x", "a'--"])(
    "may not be %j",
    (name) => {
      expect(() => stateOf(user(name))).toThrow(refusal("input_invalid"));
    },
  );

  test("belongs to one user", () => {
    expect(() => stateOf(user("ada"), user("ada"))).toThrow(refusal("name_taken"));
  });
});

test("a person of a provider is one user", () => {
  const state = stateOf(user("ada", { sso, passwordHash: null }), user("bob"));
  expect(userOfSubject(state, sso)?.name).toBe("ada");
  expect(() => addUser(state, user("eve", { sso }), T0)).toThrow(refusal("name_taken"));
  expect(() => changeUser(state, "bob", { sso }, { now: T1 })).toThrow(refusal("name_taken"));
  expect(changeUser(state, "ada", { sso }, { now: T1 }).users).toHaveLength(2);
});

test("a display name is one line without control characters", () => {
  const state = stateOf(user("ada", { displayName: "  Ada\u001b[31m\nL " }));
  expect(requireUser(state, "ada").displayName).toBe("Ada\\u000aL");
});

describe("the last admin", () => {
  const one = stateOf(user("ada", { role: "admin" }), user("bob"));

  test.each<[string, (state: AccountsState) => AccountsState]>([
    ["removed", (state) => removeUser(state, "ada")],
    ["disabled", (state) => changeUser(state, "ada", { disabled: true }, { now: T1 })],
    ["made something else", (state) => changeUser(state, "ada", { role: "operator" }, { now: T1 })],
    ["left without a way to sign in", (state) => changeUser(state, "ada", { passwordHash: null }, { now: T1 })],
  ])("cannot be %s", (_what, change) => {
    expect(() => change(one)).toThrow(refusal("last_admin"));
    const two = addUser(one, user("eve", { role: "admin" }), T0);
    expect(() => change(two)).not.toThrow();
  });

  test("is not one who is disabled, or cannot sign in", () => {
    const disabled = changeUser(
      addUser(one, user("eve", { role: "admin" }), T0),
      "eve",
      { disabled: true },
      { now: T1 },
    );
    expect(() => removeUser(disabled, "ada")).toThrow(refusal("last_admin"));
    const cannot = addUser(one, user("eve", { role: "admin", passwordHash: null }), T0);
    expect(() => removeUser(cannot, "ada")).toThrow(refusal("last_admin"));
  });

  test("is not asked for where there was none", () => {
    expect(removeUser(stateOf(user("bob")), "bob").users).toEqual([]);
  });
});

describe("sessions of a user", () => {
  const state = signedIn(stateOf(user("ada", { role: "admin" }), user("bob")));
  const open = (after: AccountsState) => after.sessions.filter(({ revokedAt }) => !revokedAt).length;

  test.each([
    ["role", { role: "operator" as const }],
    ["state", { disabled: true }],
    ["password", { passwordHash: "another" }],
    ["single sign-on", { sso }],
  ])("end with a change of the %s", (_what, change) => {
    const after = changeUser(state, "bob", change, { now: T1 });
    expect(after.sessions.map(({ revokedAt }) => revokedAt)).toEqual([null, T1]);
    expect(requireUser(after, "bob").credentialsChangedAt).toBe(T1);
  });

  test("but for the one that changes it", () => {
    const keepSession = state.sessions[1]!.id;
    expect(open(changeUser(state, "bob", { passwordHash: "another" }, { now: T1, keepSession }))).toBe(2);
  });

  test("stay open with a change of the display name, or of nothing", () => {
    expect(open(changeUser(state, "bob", { displayName: "Bob" }, { now: T1 }))).toBe(2);
    expect(open(changeUser(state, "bob", { role: "viewer", passwordHash: undefined }, { now: T1 }))).toBe(2);
  });

  test("go with the user", () => {
    expect(removeUser(state, "bob").sessions).toHaveLength(1);
  });
});

test("a view tells whether there is a password, and nothing of it", () => {
  const view = viewUser(requireUser(stateOf(user("ada")), "ada"));
  expect(view.hasPassword).toBe(true);
  expect(JSON.stringify(view)).not.toContain("hash of");
});

test("an unknown user is named safely", () => {
  expect(() => removeUser(EMPTY_STATE, "a\u001b[2Jb")).toThrow(
    expect.objectContaining({ code: "not_found", message: "there is no user ab" }) as Error,
  );
});
