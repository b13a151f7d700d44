import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { migrate } from "../../src/store/migrate.ts";
import { owner, TestHub, withCookie, withKey } from "../harness/accounts.ts";
import { TemporaryPostgres } from "../harness/temporary-postgres.ts";

/** The audit log on a real PostgreSQL. */
let server: TemporaryPostgres;
let name: string;
let hub: TestHub;

const PASSWORD = "vier Worte sind lang genug";

beforeAll(async () => {
  server = await TemporaryPostgres.start();
});
afterAll(() => server.destroy());
beforeEach(async () => {
  name = await server.createDatabase();
  await migrate(server.open(name));
  hub = await TestHub.open(server, name);
});
afterEach(() => hub.destroy());

const query = <R>(text: string) => server.query<R>(name, text);

/** Entries from the oldest on, as `actor action target result`. */
async function lines(): Promise<string[]> {
  const { items } = await hub.accounts.audit.list({ limit: 1000 });
  return items.toReversed().map(({ actor, action, target, result }) => `${actor} ${action} ${target} ${result}`);
}

const record = (action: string, after: Record<string, string> = {}) =>
  hub.accounts.audit.record({ actor: owner.actor, action, target: "x", after, result: "done" });

/** Changes the log as somebody could who owns the database, and answers what a look at the chain then says. */
async function tampered(statement: string): Promise<{ ok: boolean; says: string; entries: number }> {
  await query("ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only");
  await query(statement);
  await query("ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_append_only");
  return hub.accounts.audit.verifyChain();
}

test("each thing that is done has one line, and so has each that was refused", async () => {
  const { accounts } = hub;
  const { token: link } = await accounts.createSetupLink(owner);
  const from = { address: "192.0.2.9", requestId: "r-2" };
  await accounts.setUp({ token: "wrong", name: "ada", password: PASSWORD }, from).catch(() => {});
  await accounts.setUp({ token: link.reveal(), name: "ada", password: PASSWORD }, from);
  await hub.login("ada", "wrong").catch(() => {});
  await hub.login("my password in the wrong field", "wrong").catch(() => {});
  const { token } = await hub.login("ada", PASSWORD);
  const ada = { actor: (await accounts.authenticate(withCookie(token)))!, requestId: "r-3" };
  await accounts.confirmPassword(ada, PASSWORD);
  await accounts.createUser(ada, { name: "bob", role: "viewer", password: PASSWORD });
  await accounts.updateUser(ada, "bob", { role: "operator" });
  await accounts.removeUser(ada, "bob");
  await accounts.removeUser(ada, "ada").catch(() => {});
  const { text } = await accounts.createKey(ada, { name: "laptop", scopes: ["read"] });
  await accounts.authenticate(withKey(text.reveal()));
  await accounts.authenticate(withKey(`${text.reveal().slice(0, -1)}-`));
  await accounts.revokeKey(ada, "laptop");
  await accounts.changePassword(ada, { current: PASSWORD, next: `${PASSWORD}!` });
  await accounts.logout(ada, token);
  const prefix = text.reveal().slice(3, 11);
  expect(await lines()).toEqual([
    "cli:root setup.link null done",
    "nobody setup.use null not_signed_in",
    "user:ada setup.use user:ada done",
    "nobody session.open user:ada not_signed_in",
    "nobody session.open user unknown not_signed_in",
    "user:ada session.open user:ada done",
    "user:ada session.confirm user:ada done",
    "user:ada user.create user:bob done",
    "user:ada user.update user:bob done",
    "user:ada user.delete user:bob done",
    "user:ada user.delete user:ada last_admin",
    "user:ada key.create key:laptop done",
    `nobody key.use key ${prefix} not_signed_in`,
    "user:ada key.revoke key:laptop done",
    "user:ada user.password user:ada done",
    "user:ada session.close user:ada done",
  ]);
  const { items } = await accounts.audit.list({ action: "user.update" });
  expect(items).toMatchObject([
    {
      before: { name: "bob", role: "viewer" },
      after: { name: "bob", role: "operator" },
      address: "192.0.2.1",
      requestId: "r-3",
    },
  ]);
});

describe("the chain", () => {
  beforeEach(async () => {
    for (let i = 1; i <= 5; i++) await record(`step.${i}`, { number: String(i) });
  });

  test("holds as it was written", async () => {
    const found = await hub.accounts.audit.verifyChain();
    expect(found).toMatchObject({ ok: true, entries: 5, says: "5 entries, each as it was written" });
  });

  test.each([
    ["a word that was changed", "UPDATE audit_log SET result = 'failed' WHERE seq = 3", /entry 3 was changed/],
    ["a time that was changed", "UPDATE audit_log SET at = at + interval '1 ms' WHERE seq = 3", /entry 3 was changed/],
    ["a value that was changed", `UPDATE audit_log SET after = '{"number":"9"}' WHERE seq = 3`, /entry 3 was changed/],
    ["an entry that was taken out", "DELETE FROM audit_log WHERE seq = 3", /entry 3 is missing/],
    ["the first one taken out", "DELETE FROM audit_log WHERE seq = 1", /entry 1 is missing/],
    [
      "one taken out, and the numbers made good again",
      "DELETE FROM audit_log WHERE seq = 3; UPDATE audit_log SET seq = seq - 1 WHERE seq > 3",
      /entry 3 was written behind another/,
    ],
    [
      "two that changed places",
      "UPDATE audit_log SET seq = 9 WHERE seq = 2; UPDATE audit_log SET seq = 2 WHERE seq = 3; UPDATE audit_log SET seq = 3 WHERE seq = 9",
      /entry 2 was written behind another/,
    ],
  ])("shows %s", async (_what, statement, says) => {
    const found = await tampered(statement);
    expect(found.ok).toBe(false);
    expect(found.says).toMatch(says);
  });

  test("shows an end that was cut off to whoever noted the head", async () => {
    const { head } = await hub.accounts.audit.verifyChain();
    const after = await tampered("DELETE FROM audit_log WHERE seq = 5");
    expect(after.ok).toBe(true);
    expect((await hub.accounts.audit.verifyChain()).head).not.toEqual(head);
  });

  test("takes no UPDATE, DELETE or TRUNCATE, not even from a superuser or a replica's session", async () => {
    for (const statement of [
      "UPDATE audit_log SET actor = 'eve'",
      "DELETE FROM audit_log",
      "TRUNCATE audit_log",
      "SET session_replication_role = replica; DELETE FROM audit_log",
      "UPDATE audit_log SET actor = 'eve' WHERE false",
    ])
      await expect(query(statement)).rejects.toMatchObject({ message: "the audit log is append-only" });
    expect(await hub.accounts.audit.verifyChain()).toMatchObject({ ok: true, entries: 5 });
  });

  test("is longer than one batch", async () => {
    const more = Array.from({ length: 600 }, (_, i) => ({ id: crypto.randomUUID(), i }));
    for (const { id, i } of more) hub.spool.put("audit", id, { ...empty, id, action: `more.${i}` });
    await hub.accounts.audit.drain();
    expect(await hub.accounts.audit.verifyChain()).toMatchObject({ ok: true, entries: 605 });
    const found = await tampered("UPDATE audit_log SET actor = 'eve' WHERE seq = 555");
    expect(found).toMatchObject({ ok: false, entries: 554 });
  });
});

/** An entry as the spool has one. */
const empty = {
  at: "2026-11-20T12:00:00.000Z",
  actor: "system",
  target: null,
  before: null,
  after: null,
  result: "done",
  address: null,
  requestId: null,
};

describe("an entry", () => {
  test("holds no secret, whatever it is given", async () => {
    const canary = "canary-7f3a-canary-7f3a-canary-7f3a";
    await hub.accounts.audit.record({
      actor: owner.actor,
      action: "database.create",
      target: `postgres://app:${canary}@db/app`,
      before: { password: canary, nested: [{ api_key: canary }] },
      after: { url: `postgresql://app:${canary}@db/app`, note: `Authorization: Bearer ${canary}` },
      result: "done",
    });
    const [row] = await query<{ text: string }>("SELECT to_json(t)::text AS text FROM audit_log t");
    expect(row!.text).not.toContain("canary");
    expect(row!.text).toContain("[redacted]");
  });

  test("of any text is one line of JSON, and the chain holds", async () => {
    const texts = ["two\nlines", "\u001b[31mred", "zero\0", "half \ud800", "größe 🐘", "'; DROP TABLE audit_log; --"];
    for (const text of texts) await record(text, { [text]: text });
    const rows = await query<{ text: string }>("SELECT to_json(t)::text AS text FROM audit_log t");
    for (const { text } of rows) expect(text).not.toMatch(/[\n\u001b\0]/);
    expect(await hub.accounts.audit.verifyChain()).toMatchObject({ ok: true, entries: texts.length });
  });

  test("of numbers that a database might write otherwise is found as it was", async () => {
    const numbers = [0.1 + 0.2, 1e21, 1e-7, -0, 123456789012345680000, Number.MAX_VALUE, Number.MIN_VALUE];
    await hub.accounts.audit.record({ actor: "x", action: "a.b", result: "done", after: { numbers } });
    expect(await hub.accounts.audit.verifyChain()).toMatchObject({ ok: true, entries: 1 });
  });

  test("that is too long for a column is shortened, and one that is huge left out", async () => {
    const long = "x".repeat(100_000);
    await hub.accounts.audit.record({
      actor: long,
      action: long,
      target: long,
      result: long,
      after: long,
      requestId: long,
    });
    const { items } = await hub.accounts.audit.list();
    expect(items).toMatchObject([{ after: { left_out: "100002 bytes" } }]);
  });
});

test("pages go from the newest on, and leave nothing out while more is written", async () => {
  for (let i = 1; i <= 7; i++) await record(i % 2 ? "odd.step" : "even.step");
  const seen: number[] = [];
  let cursor: string | undefined;
  do {
    const page = await hub.accounts.audit.list({ limit: 3, cursor });
    seen.push(...page.items.map(({ seq }) => seq));
    cursor = page.next_cursor ?? undefined;
    if (seen.length === 3) await record("odd.step");
  } while (cursor);
  expect(seen).toEqual([7, 6, 5, 4, 3, 2, 1]);
  expect(await hub.accounts.audit.list({ action: "even.step" })).toMatchObject({ total: 3, next_cursor: null });
  expect(await hub.accounts.audit.list({ actor: "cli:root", limit: 2 })).toMatchObject({ total: 8, next_cursor: "7" });
  expect(await hub.accounts.audit.list({ actor: "nobody" })).toMatchObject({ total: 0, items: [] });
  await expect(hub.accounts.audit.list({ cursor: "1; DROP" })).rejects.toMatchObject({ code: "input_invalid" });
});
