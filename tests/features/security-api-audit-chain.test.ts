import { afterAll, beforeAll, expect, test } from "vitest";
import { Client } from "pg";
import { Api } from "../harness/api.ts";
import { askAsSuperuser, refusal } from "../harness/clients.ts";
import type { TestHome } from "../harness/home.ts";
import { homeWithHub, ownerOf } from "../harness/people.ts";

let home: TestHome;
let owner: Api;

beforeAll(async () => {
  home = await homeWithHub();
  owner = await ownerOf(home);
});
afterAll(() => home.destroy());

const audit = async (query = "") =>
  (await owner.get(`/api/audit?limit=1000${query}`)).json<{ items: { request_id: string }[]; total: number }>();

test("S34: a flood of strangers fills no disk, and what comes at once is written in one chain", async () => {
  const before = (await audit()).total;
  for (let i = 0; i < 200; i++) await Api.network(home, "127.0.0.77").get("/api/users");
  expect((await audit()).total - before).toBeLessThan(30);
  const created = await Promise.all(
    Array.from({ length: 30 }, (_, i) => owner.post("/api/tasks", { title: `t${i}`, task_type: "verification" })),
  );
  expect(new Set(created.map(({ status }) => status))).toEqual(new Set([201]));
  const { items } = await audit("&action=task.create");
  for (const { headers } of created)
    expect(items.filter(({ request_id: id }) => id === headers["x-request-id"])).toHaveLength(1);
  expect((await owner.get("/api/audit/proof")).json()).toMatchObject({ ok: true });
});

test("S34: lines can be neither changed nor taken out by the hub's own role; where the superuser does it, it shows", async () => {
  const proof = async () => (await owner.get("/api/audit/proof")).json<{ ok: boolean; says: string }>();
  const jarvis = new Client({
    host: home.paths.run,
    port: home.port(5431),
    user: "jarvis",
    database: "homelab_jarvis",
    password: await home.secret("jarvis_db"),
  });
  await jarvis.connect();
  for (const statement of ["UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log", "TRUNCATE audit_log"])
    expect(await refusal(jarvis.query(statement)), statement).not.toBe("nothing was refused");
  await jarvis.end();
  expect(await proof()).toMatchObject({ ok: true });
  const asSuperuser = (sql: string) =>
    askAsSuperuser(
      home,
      `ALTER TABLE audit_log DISABLE TRIGGER USER; ${sql}; ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_append_only`,
      "homelab_jarvis",
    );
  const changes = [
    "actor = 'user:eve'",
    "result = 'done!'",
    "at = at + interval '1 second'",
    "target = coalesce(target, '') || 'x'",
    "address = '::1'",
  ];
  await asSuperuser("CREATE TABLE kept AS SELECT * FROM audit_log WHERE seq IN (5, 6)");
  for (const change of changes) {
    await asSuperuser(`UPDATE audit_log SET ${change} WHERE seq = 5`);
    expect(await proof(), change).toMatchObject({ ok: false, says: expect.stringContaining("5") as string });
    await asSuperuser("DELETE FROM audit_log WHERE seq = 5; INSERT INTO audit_log SELECT * FROM kept WHERE seq = 5");
    expect(await proof(), change).toMatchObject({ ok: true });
  }
  await asSuperuser("DELETE FROM audit_log WHERE seq = 6");
  expect(await proof()).toMatchObject({ ok: false, says: expect.stringContaining("6") as string });
});
