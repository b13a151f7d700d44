import { argon2Sync } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { may } from "../../src/accounts/roles.ts";
import { waitUntil } from "../../src/core/clock.ts";
import { migrate } from "../../src/store/migrate.ts";
import { DASHBOARD_KEY, owner, TestHub, withCookie, withKey } from "../harness/accounts.ts";
import { TemporaryPostgres } from "../harness/temporary-postgres.ts";

/** Users, keys and sessions on a real PostgreSQL, seen by two hubs. */
let server: TemporaryPostgres;
let name: string;
let hub: TestHub;
const others: TestHub[] = [];

const PASSWORD = "vier Worte sind lang genug";
const refusal = (code: string) => expect.objectContaining({ code }) as Error;

beforeAll(async () => {
  server = await TemporaryPostgres.start();
});
afterAll(() => server.destroy());
beforeEach(async () => {
  name = await server.createDatabase();
  await migrate(server.open(name));
  hub = await TestHub.open(server, name);
});
afterEach(async () => {
  for (const each of [hub, ...others.splice(0)]) await each.destroy();
});

async function another(more: Parameters<typeof TestHub.open>[2] = {}, database = name): Promise<TestHub> {
  const opened = await TestHub.open(server, database, more);
  others.push(opened);
  return opened;
}

const makeUser = (user: string, role: "viewer" | "operator" | "admin" = "viewer") =>
  hub.accounts.createUser(owner, { name: user, role, password: PASSWORD });
const makeKey = async (key: string) =>
  (await hub.accounts.createKey(owner, { name: key, scopes: ["read"] })).text.reveal();
const query = <R>(text: string, values?: unknown[]) => server.query<R>(name, text, values);

/** Milliseconds until a hub says so. */
async function timeUntil(probe: () => Promise<boolean>): Promise<number> {
  const started = performance.now();
  await waitUntil(probe, { timeout: 10, every: 5, what: "the other hub knows" });
  return performance.now() - started;
}

/** Everything that the database holds, as text. */
async function dump(): Promise<string> {
  const tables = await query<{ tablename: string }>("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
  const rows = tables.map(({ tablename }) =>
    query<{ row: string }>(`SELECT to_json(t)::text AS row FROM ${tablename} t`),
  );
  return (await Promise.all(rows))
    .flat()
    .map(({ row }) => row)
    .join("\n");
}

describe("signing in", () => {
  test("opens a session, which is gone after signing out", async () => {
    await makeUser("ada", "operator");
    const { token, user, maxAge } = await hub.login("Ada", PASSWORD);
    expect(user).toMatchObject({ name: "ada", role: "operator" });
    expect(maxAge).toBe(30 * 24 * 3600);
    const actor = (await hub.accounts.authenticate(withCookie(token)))!;
    expect(actor).toMatchObject({ kind: "user", name: "user:ada", role: "operator", address: "192.0.2.1" });
    expect([may(actor, "provision"), may(actor, "admin")]).toEqual([true, false]);
    expect(hub.accounts.me(actor)).toMatchObject({ name: "ada", lastLoginAt: expect.any(String) as string });
    await hub.accounts.logout({ actor, requestId: null }, token);
    expect(await hub.accounts.authenticate(withCookie(token))).toBeUndefined();
  });

  test("ends the session that the browser had, and takes no token that a browser brings along", async () => {
    await makeUser("ada");
    const first = await hub.login("ada", PASSWORD);
    const second = await hub.login("ada", PASSWORD, { previousToken: first.token });
    expect(second.token).not.toBe(first.token);
    expect(await hub.accounts.authenticate(withCookie(first.token))).toBeUndefined();
    expect(hub.accounts.listSessions("ada")).toHaveLength(1);
    const planted = await hub.login("ada", PASSWORD, { previousToken: "planted" });
    expect(planted.token).not.toBe("planted");
  });

  test("is refused with one sentence, whatever is wrong", async () => {
    await makeUser("ada");
    await makeUser("off");
    await hub.accounts.updateUser(owner, "off", { disabled: true });
    await hub.accounts.createUser(owner, { name: "elsewhere", role: "viewer" });
    const tries = [
      ["ada", "wrong"],
      ["nobody", PASSWORD],
      ["off", PASSWORD],
      ["elsewhere", PASSWORD],
      ["", ""],
      ["ada' OR '1'='1", PASSWORD],
    ] as const;
    const errors = await Promise.all(tries.map(([user, word]) => hub.login(user, word).catch((error: Error) => error)));
    expect(new Set(errors.map((error) => JSON.stringify([(error as Error).message, error])))).toHaveProperty("size", 1);
    expect(errors[0]).toMatchObject({ code: "not_signed_in" });
  });

  test("takes as long for a name that nobody has", async () => {
    await makeUser("ada");
    const spent: Record<string, number[]> = { ada: [], nobody: [] };
    for (let i = 0; i < 30; i++) {
      for (const user of ["ada", "nobody"]) {
        const started = performance.now();
        await hub.login(user, "wrong", { address: `198.51.100.${i}` }).catch(() => {});
        spent[user]!.push(performance.now() - started);
      }
    }
    const median = (values: number[]) => values.toSorted((a, b) => a - b)[15]!;
    const [known, unknown] = [median(spent["ada"]!), median(spent["nobody"]!)];
    expect(Math.abs(known - unknown)).toBeLessThan(Math.max(known, unknown) * 0.5);
  });

  test("is held off after a few wrong passwords, and not for the owner somewhere else", async () => {
    await makeUser("ada");
    const tries = await Promise.allSettled(Array.from({ length: 40 }, () => hub.login("ada", "wrong")));
    const codes = tries.map((each) => (each as PromiseRejectedResult).reason.code as string);
    expect(codes.filter((code) => code === "not_signed_in")).toHaveLength(5);
    expect(codes.filter((code) => code === "too_many_attempts")).toHaveLength(35);
    await expect(hub.login("ada", PASSWORD)).rejects.toMatchObject({ retryAfterSeconds: expect.any(Number) as number });
    await expect(hub.login("ada", PASSWORD, { address: "192.0.2.2" })).resolves.toBeDefined();
  });

  test("writes a password again that was stored under lower costs", async () => {
    await makeUser("ada");
    const costs = async () =>
      (await query<{ cost: string }>("SELECT substr(password_hash, 1, 30) AS cost FROM users"))[0]!.cost;
    const low = "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$";
    const nonce = Buffer.from("0123456789abcdef");
    const hash = argon2Sync("argon2id", {
      message: PASSWORD,
      nonce,
      tagLength: 32,
      memory: 64,
      passes: 1,
      parallelism: 1,
    });
    await query("UPDATE users SET password_hash = $1", [low + hash.toString("base64").replace(/=+$/, "")]);
    await hub.accounts.refresh();
    await hub.login("ada", PASSWORD);
    expect(await costs()).toContain("m=19456,t=2,p=1");
    await hub.login("ada", PASSWORD);
  });

  test("ends by itself: without requests after 12 hours, and after 30 days in any case", async () => {
    await makeUser("ada");
    const { token } = await hub.login("ada", PASSWORD);
    const hours = (count: number) => (hub.clock.ahead = count * 3600_000);
    for (let at = 11; at < 30 * 24; at += 11) {
      hours(at);
      expect(await hub.accounts.authenticate(withCookie(token))).toBeDefined();
    }
    hours(30 * 24);
    expect(await hub.accounts.authenticate(withCookie(token))).toBeUndefined();
    const idle = await hub.login("ada", PASSWORD);
    hours(30 * 24 + 12);
    expect(await hub.accounts.authenticate(withCookie(idle.token))).toBeUndefined();
  });

  test("asks for the password again, and notes when that was", async () => {
    await makeUser("ada");
    const { token } = await hub.login("ada", PASSWORD);
    hub.clock.ahead = 3600_000;
    const actor = (await hub.accounts.authenticate(withCookie(token)))!;
    const caller = { actor, requestId: null };
    await expect(hub.accounts.confirmPassword(caller, "wrong")).rejects.toThrow(refusal("not_signed_in"));
    await hub.accounts.confirmPassword(caller, PASSWORD);
    const after = (await hub.accounts.authenticate(withCookie(token)))!;
    expect(Date.parse(after.session!.provenAt) - Date.parse(actor.session!.provenAt)).toBeGreaterThan(3590_000);
  });

  test("with a new password ends every other session", async () => {
    await makeUser("ada");
    const [one, two] = [await hub.login("ada", PASSWORD), await hub.login("ada", PASSWORD)];
    const caller = { actor: (await hub.accounts.authenticate(withCookie(one.token)))!, requestId: null };
    const change = (current: string, next: string) => hub.accounts.changePassword(caller, { current, next });
    await expect(change("wrong", "five words are longer still")).rejects.toThrow(refusal("not_signed_in"));
    await expect(change(PASSWORD, "password123")).rejects.toThrow(refusal("input_invalid"));
    await change(PASSWORD, "five words are longer still");
    expect(await hub.accounts.authenticate(withCookie(one.token))).toBeDefined();
    expect(await hub.accounts.authenticate(withCookie(two.token))).toBeUndefined();
    await expect(hub.login("ada", PASSWORD)).rejects.toThrow(refusal("not_signed_in"));
  });

  test("by single sign-on makes a user, and gives the role that the provider gives today", async () => {
    await makeUser("ada", "admin");
    const identity = {
      issuer: "https://id.example",
      subject: "42",
      username: "ada",
      displayName: "Ada L",
      email: null,
    };
    const enter = (role: "viewer" | "operator") =>
      hub.accounts.loginWithSso({ identity: { ...identity, role }, browser: { address: null }, requestId: null });
    const first = await enter("operator");
    expect(first.user).toMatchObject({ name: "ada-2", role: "operator", hasPassword: false });
    const second = await enter("viewer");
    expect(second.user).toMatchObject({ name: "ada-2", role: "viewer" });
    expect(await hub.accounts.authenticate(withCookie(first.token))).toBeUndefined();
    await hub.accounts.updateUser(owner, "ada-2", { disabled: true });
    await expect(enter("viewer")).rejects.toThrow(refusal("not_signed_in"));
    const { items } = await hub.accounts.audit.list({ actor: "sso" });
    expect(items.map(({ action, target }) => [action, target])).toEqual([
      ["user.update", "user:ada-2"],
      ["user.create", "user:ada-2"],
    ]);
  });
});

describe("a key", () => {
  test("opens what its scopes allow, by either header, and notes its last use", async () => {
    const text = await makeKey("laptop");
    const actor = (await hub.accounts.authenticate(withKey(text)))!;
    expect(actor).toMatchObject({ kind: "key", name: "key:laptop", role: "viewer", scopes: ["read"] });
    const bearer = { cookies: {}, https: false, address: null, authorization: `Bearer ${text}` };
    expect(await hub.accounts.authenticate(bearer)).toMatchObject({ name: "key:laptop" });
    expect(hub.accounts.listKeys()).toMatchObject([{ name: "laptop", lastUsedAt: expect.any(String) as string }]);
  });

  test("of the installation is an admin, and in no table", async () => {
    const actor = await hub.accounts.authenticate(withKey(DASHBOARD_KEY));
    expect(actor).toMatchObject({ name: "key:dashboard", role: "admin", scopes: ["admin"] });
    expect(await dump()).not.toContain(DASHBOARD_KEY);
  });

  test("that is wrong opens nothing, whatever cookie is beside it", async () => {
    await makeUser("ada");
    const { token } = await hub.login("ada", PASSWORD);
    const both = { ...withCookie(token), apiKey: "hl_AAAAAAAA_wrong" };
    expect(await hub.accounts.authenticate(both)).toBeUndefined();
  });

  test("is not guessed: twenty tries, and then even the right one of the installation waits; made ones do not", async () => {
    const text = await makeKey("laptop");
    const guess = (i: number) => hub.accounts.authenticate(withKey(`guess ${i}`));
    const guesses = await Promise.allSettled(Array.from({ length: 30 }, (_, i) => guess(i)));
    expect(guesses.filter(({ status }) => status === "fulfilled")).toHaveLength(20);
    await expect(hub.accounts.authenticate(withKey(DASHBOARD_KEY))).rejects.toThrow(refusal("too_many_attempts"));
    expect(await hub.accounts.authenticate(withKey(DASHBOARD_KEY, "192.0.2.2"))).toBeDefined();
    expect(await hub.accounts.authenticate(withKey(text))).toBeDefined();
  });

  test("is not made by somebody who may do less", async () => {
    const caller = { actor: { ...owner.actor, scopes: ["read" as const] }, requestId: null };
    const made = hub.accounts.createKey(caller, { name: "more", scopes: ["admin"] });
    await expect(made).rejects.toThrow(refusal("not_allowed"));
  });
});

describe("what one hub changes, another one knows within a second", () => {
  test("a key that was revoked", async () => {
    const text = await makeKey("laptop");
    const second = await another({ pollMs: 60_000 });
    expect(await second.accounts.authenticate(withKey(text))).toBeDefined();
    await hub.accounts.revokeKey(owner, "laptop");
    expect(await hub.accounts.authenticate(withKey(text))).toBeUndefined();
    const spent = await timeUntil(async () => !(await second.accounts.authenticate(withKey(text))));
    expect(spent).toBeLessThan(1000);
  });

  test("a session that was closed, and a user who was disabled", async () => {
    const second = await another({ pollMs: 60_000 });
    await makeUser("ada");
    const [one, two] = [await hub.login("ada", PASSWORD), await hub.login("ada", PASSWORD)];
    const isOut = (token: string) => async () => !(await second.accounts.authenticate(withCookie(token)));
    await waitUntil(async () => !(await isOut(two.token)()), { timeout: 5, what: "the session is known" });
    await hub.accounts.logout(owner, one.token);
    expect(await timeUntil(isOut(one.token))).toBeLessThan(1000);
    await hub.accounts.updateUser(owner, "ada", { disabled: true });
    expect(await timeUntil(isOut(two.token))).toBeLessThan(1000);
  });

  test("also when nobody heard of it: by looking", async () => {
    const second = await another({ pollMs: 200 });
    const text = await makeKey("laptop");
    await waitUntil(async () => second.accounts.authenticate(withKey(text)), { timeout: 5, what: "the key is known" });
    await query("UPDATE api_keys SET revoked_at = now()");
    await query("UPDATE accounts_state SET revision = revision + 1");
    expect(await timeUntil(async () => !(await second.accounts.authenticate(withKey(text))))).toBeLessThan(1000);
  });

  test("the last use of a session, so that it does not end too early elsewhere", async () => {
    await makeUser("ada");
    const { token } = await hub.login("ada", PASSWORD);
    const [one, two] = [await another({ usesMs: 300 }), await another({ usesMs: 300 })];
    one.clock.ahead = two.clock.ahead = 11 * 3600_000;
    expect(await one.accounts.authenticate(withCookie(token))).toBeDefined();
    two.clock.ahead = 15 * 3600_000;
    const isSeen = async () => (await two.accounts.authenticate(withCookie(token))) !== undefined;
    expect(await timeUntil(isSeen)).toBeLessThan(5000);
  });
});

describe("two hubs at once", () => {
  test("do not remove the last two admins between them", async () => {
    await makeUser("ada", "admin");
    await makeUser("eve", "admin");
    const second = await another();
    const removals = await Promise.allSettled([
      hub.accounts.removeUser(owner, "ada"),
      second.accounts.removeUser(owner, "eve"),
    ]);
    expect(removals.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await hub.accounts.refresh();
    expect(hub.accounts.listUsers()).toHaveLength(1);
  });

  test("make one first admin of one setup link", async () => {
    const { token } = await hub.accounts.createSetupLink(owner);
    const second = await another();
    const use = ({ accounts }: TestHub, user: string) =>
      accounts.setUp({ token: token.reveal(), name: user, password: PASSWORD }, { address: null, requestId: null });
    const uses = await Promise.allSettled([use(hub, "ada"), use(second, "eve")]);
    expect(uses.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await hub.accounts.refresh();
    expect(hub.accounts.listUsers()).toMatchObject([{ role: "admin" }]);
    expect(hub.accounts.setupNeeded).toBe(false);
    await expect(hub.accounts.createSetupLink(owner)).rejects.toThrow(refusal("not_allowed"));
  });

  test("write 60 changes at once, and lose none", async () => {
    const second = await another();
    const make = (i: number) =>
      (i % 2 ? hub : second).accounts.createKey(owner, { name: `key ${i}`, scopes: ["read"] });
    await Promise.all(Array.from({ length: 60 }, (_, i) => make(i)));
    await hub.accounts.refresh();
    expect(hub.accounts.listKeys()).toHaveLength(60);
    const chain = await hub.accounts.audit.verifyChain();
    expect(chain).toMatchObject({ ok: true, entries: 60 });
  });
});

describe("what is kept", () => {
  test("opens nothing: no key, password, session or link is in the database or in the snapshot", async () => {
    await makeUser("ada", "admin");
    const key = await makeKey("laptop");
    const { token } = await hub.login("ada", PASSWORD);
    await hub.login("ada", `${PASSWORD}!`).catch(() => {});
    await hub.accounts.authenticate(withKey("hl_AbCdEfGh_wrong-wrong-wrong-wrong-wrong-ab"));
    const snapshot = join(hub.folder, "accounts.json");
    const texts = [await dump(), await readFile(snapshot, "utf8")];
    for (const text of texts) {
      for (const secret of [key, key.slice(12), token, PASSWORD, "wrong-wrong"]) expect(text).not.toContain(secret);
      // Nothing that is there works as a key or as a cookie. Each from an address of its own, so that none is held off.
      const words = [...new Set(text.match(/[\w$+/=,.-]{8,}/g))];
      for (const [i, word] of words.entries()) {
        expect(await hub.accounts.authenticate(withCookie(word))).toBeUndefined();
        expect(await hub.accounts.authenticate(withKey(word, `10.0.${i >> 8}.${i & 255}`))).toBeUndefined();
      }
    }
    expect((await stat(snapshot)).mode & 0o777).toBe(0o600);
  });
});
