import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { migrate } from "../../src/store/migrate.ts";
import { owner, TestHub, withCookie, withKey } from "../harness/accounts.ts";
import { TemporaryPostgres } from "../harness/temporary-postgres.ts";

/** What works while the platform database is away, and what becomes of it when the database is back, older, or new. */
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

/** The same hub, started again: on this database, with what it left on the disk. */
async function restarted(database = name): Promise<void> {
  const { folder } = hub;
  await hub.close();
  hub = await TestHub.open(server, database, { folder });
}

async function makeUser(user: string, role: "viewer" | "admin" = "viewer"): Promise<void> {
  await hub.accounts.createUser(owner, { name: user, role, password: PASSWORD });
}

const makeKey = async (key: string): Promise<string> =>
  (await hub.accounts.createKey(owner, { name: key, scopes: ["read"] })).text.reveal();

const query = <R>(text: string, database = name) => server.query<R>(database, text);
const sessionsStored = (where = "true") =>
  query<{ id: string }>(`SELECT id FROM web_sessions WHERE ${where}`).then((rows) => rows.length);

/** The actions of the log, from the oldest on. */
const actions = async (): Promise<string[]> =>
  (await hub.accounts.audit.list({ limit: 1000 })).items.toReversed().map(({ action }) => action);

/** Another database with what the first one holds now: what a restore to this moment would give. */
async function copied(): Promise<string> {
  const copy = `${name}_copy`;
  await query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
  );
  for (let i = 0; ; i++) {
    try {
      await server.query("postgres", `CREATE DATABASE ${copy} TEMPLATE ${name}`);
      return copy;
    } catch (error) {
      // A hub is connected again already.
      if (i === 50) throw error;
      await query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      );
    }
  }
}

describe("while the platform database is away", () => {
  let key: string;
  let token: string;
  beforeEach(async () => {
    await makeUser("ada", "admin");
    key = await makeKey("laptop");
    ({ token } = await hub.login("ada", PASSWORD));
    await server.stop();
  });
  afterEach(() => server.restart().catch(() => {}));

  test("keys and sessions work, users sign in and out, and other changes say why they do not", async () => {
    expect(await hub.accounts.authenticate(withKey(key))).toBeDefined();
    const actor = (await hub.accounts.authenticate(withCookie(token)))!;
    const local = await hub.login("ada", PASSWORD);
    expect(await hub.accounts.authenticate(withCookie(local.token))).toBeDefined();
    await hub.accounts.logout({ actor, requestId: null }, token);
    expect(await hub.accounts.authenticate(withCookie(token))).toBeUndefined();
    for (const change of [
      () => makeUser("bob"),
      () => hub.accounts.updateUser(owner, "ada", { displayName: "A" }),
      () => makeKey("phone"),
      () => hub.accounts.revokeKey(owner, "laptop"),
      () => hub.accounts.audit.list(),
    ])
      await expect(change()).rejects.toThrow(refusal("platform_database_away"));
  });

  test("nobody waits for it, from the second time on", async () => {
    await hub.login("ada", PASSWORD);
    const started = performance.now();
    const { token: local } = await hub.login("ada", PASSWORD);
    await hub.accounts.authenticate(withCookie(local));
    await hub.accounts.logout(owner, local);
    expect(performance.now() - started).toBeLessThan(500);
  });

  test("a hub that starts knows its users, its keys and the sessions that are not written yet", async () => {
    const local = await hub.login("ada", PASSWORD);
    await restarted();
    expect(hub.accounts.setupNeeded).toBe(false);
    for (const request of [withKey(key), withCookie(token), withCookie(local.token)])
      expect(await hub.accounts.authenticate(request)).toBeDefined();
  });

  test("a hub that has never seen it does not take nobody for the truth", async () => {
    const fresh = await another();
    expect(fresh.accounts.setupNeeded).toBeUndefined();
    await expect(fresh.login("ada", PASSWORD)).rejects.toThrow(refusal("not_signed_in"));
  });

  test("what happened is written once when it is back, in its order, also by a hub that was restarted", async () => {
    const stay = await hub.login("ada", PASSWORD);
    const gone = await hub.login("ada", PASSWORD);
    await hub.accounts.logout(owner, gone.token);
    await hub.accounts.logout(owner, token);
    await hub.login("ada", "wrong").catch(() => {});
    await restarted();
    await makeUser("bob").catch(() => {});
    expect(hub.spool.count("audit")).toBe(6);
    await server.restart();
    const isWritten = async () => hub.spool.count("audit") === 0 && (await sessionsStored()) === 3;
    await waitUntil(isWritten, { timeout: 10, what: "everything is written" });
    await restarted();
    await hub.accounts.refresh();
    expect([await sessionsStored(), await sessionsStored("revoked_at IS NULL")]).toEqual([3, 1]);
    expect(await hub.accounts.authenticate(withCookie(stay.token))).toBeDefined();
    expect(await actions()).toEqual([
      ...["user.create", "key.create", "session.open"],
      ...["session.open", "session.open", "session.close", "session.close", "session.open", "user.create"],
    ]);
    expect(await hub.accounts.audit.verifyChain()).toMatchObject({ ok: true, entries: 9 });
  });

  test("what another hub hands in is not written twice, and one user's sessions are known to all", async () => {
    const { token: local } = await hub.login("ada", PASSWORD);
    await server.restart();
    const second = await another();
    const isKnown = async () => second.accounts.authenticate(withCookie(local));
    await waitUntil(isKnown, { timeout: 10, what: "the other hub knows the session" });
    await Promise.all([hub.accounts.refresh(), second.accounts.refresh()]);
    expect(await sessionsStored()).toBe(2);
  });
});

test("an entry that was committed without our knowing is not written again", async () => {
  await hub.accounts.audit.record({ actor: owner.actor, action: "a.b", result: "done" });
  const [{ payload }] = (await query<{ payload: string }>(
    `SELECT json_build_object('id', id, 'at', at, 'actor', actor, 'action', action, 'result', result)::text AS payload FROM audit_log`,
  )) as [{ payload: string }];
  const entry = { target: null, before: null, after: null, address: null, requestId: null, ...JSON.parse(payload) };
  hub.spool.put("audit", entry.id, entry);
  hub.spool.put("audit", "0199a0de-0000-4000-8000-000000000000", {
    ...entry,
    id: "0199a0de-0000-4000-8000-000000000000",
    at: "2026-11-20T12:00:00.000Z",
  });
  expect(await hub.accounts.audit.drain()).toBe(2);
  expect(await actions()).toEqual(["a.b", "a.b"]);
  expect(await hub.accounts.audit.verifyChain()).toMatchObject({ ok: true, entries: 2 });
});

describe("a database that is older than what this machine knows", () => {
  test("is filled from here: what was revoked stays revoked, who was made stays, and the log says so", async () => {
    await makeUser("ada", "admin");
    await makeUser("eve", "admin");
    const key = await makeKey("laptop");
    const older = await copied();
    await hub.accounts.revokeKey(owner, "laptop");
    await hub.accounts.removeUser(owner, "eve");
    await makeUser("bob");
    const { token } = await hub.login("bob", PASSWORD);
    name = older;
    await restarted(older);
    expect(await hub.accounts.authenticate(withKey(key))).toBeUndefined();
    expect(hub.accounts.listUsers().map((user) => user.name)).toEqual(["ada", "bob"]);
    expect(await hub.accounts.authenticate(withCookie(token))).toBeDefined();
    expect(await query("SELECT name FROM users ORDER BY name")).toEqual([{ name: "ada" }, { name: "bob" }]);
    expect(await query("SELECT name FROM api_keys WHERE revoked_at IS NULL")).toEqual([]);
    expect((await actions()).at(-1)).toBe("accounts.refill");
    // A hub without a memory of its own sees the same.
    const fresh = await another({}, older);
    expect(await fresh.accounts.authenticate(withKey(key))).toBeUndefined();
    expect(await fresh.accounts.authenticate(withCookie(token))).toBeDefined();
  });

  test("is filled before anything is changed in it", async () => {
    await makeUser("ada", "admin");
    const key = await makeKey("laptop");
    const second = await another({ pollMs: 60_000 });
    await query("CREATE TABLE before AS SELECT * FROM accounts_state");
    await hub.accounts.revokeKey(owner, "laptop");
    await waitUntil(async () => !(await second.accounts.authenticate(withKey(key))), {
      timeout: 5,
      what: "it is known",
    });
    await hub.destroy();
    await query("UPDATE api_keys SET revoked_at = NULL");
    await query("UPDATE accounts_state SET revision = (SELECT revision FROM before)");
    await second.accounts.createUser(owner, { name: "bob", role: "viewer", password: PASSWORD });
    expect(await query("SELECT name FROM api_keys WHERE revoked_at IS NULL")).toEqual([]);
    expect(await query("SELECT name FROM users ORDER BY name")).toEqual([{ name: "ada" }, { name: "bob" }]);
    hub = second;
    others.splice(0);
  });

  test("is filled when it was lost and made anew, once its tables are there", async () => {
    await makeUser("ada", "admin");
    const key = await makeKey("laptop");
    const lost = await server.createDatabase();
    name = lost;
    await restarted(lost);
    expect(await hub.accounts.authenticate(withKey(key))).toBeDefined();
    await expect(makeUser("bob")).rejects.toThrow(refusal("platform_database_away"));
    await migrate(server.open(lost));
    const isFilled = async () => (await query<{ n: string }>("SELECT count(*) AS n FROM users"))[0]!.n === "1";
    await waitUntil(isFilled, { timeout: 10, what: "it is filled" });
    expect(await hub.accounts.authenticate(withKey(key))).toBeDefined();
  });

  test("which is newer is taken as it is", async () => {
    await makeUser("ada", "admin");
    const { folder } = hub;
    await hub.close();
    hub = await TestHub.open(server, name);
    await makeUser("bob");
    const late = await another({ folder });
    expect(late.accounts.listUsers().map((user) => user.name)).toEqual(["ada", "bob"]);
    expect(await actions()).not.toContain("accounts.refill");
  });
});

test("a snapshot that cannot be read is none", async () => {
  await makeUser("ada");
  await hub.close();
  await writeFile(join(hub.folder, "accounts.json"), '{"version":1,"head":');
  hub = await TestHub.open(server, name, { folder: hub.folder });
  expect(hub.accounts.listUsers()).toHaveLength(1);
});

test("a database that says nothing at all (its processes are stopped) holds a sign-in up once, and then no more", async () => {
  await makeUser("ada");
  const backends = await query<{ pid: number }>(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
  );
  const pids = [await server.pid(), ...backends.map(({ pid }) => pid)];
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  try {
    const first = performance.now();
    await hub.login("ada", PASSWORD);
    const second = performance.now();
    const { token } = await hub.login("ada", PASSWORD);
    expect(await hub.accounts.authenticate(withCookie(token))).toBeDefined();
    const third = performance.now();
    expect(second - first).toBeLessThan(6000);
    expect(third - second).toBeLessThan(500);
  } finally {
    for (const pid of pids) process.kill(pid, "SIGCONT");
  }
  await waitUntil(async () => (await sessionsStored().catch(() => 0)) === 2, { timeout: 20, what: "both are written" });
  await waitUntil(async () => hub.spool.count("audit") === 0, { timeout: 20, what: "the audit log is written" });
  expect(await actions()).toEqual(["user.create", "session.open", "session.open"]);
});
