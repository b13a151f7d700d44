import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import type { Api } from "../harness/api.ts";
import { askAsSuperuser } from "../harness/clients.ts";
import type { TestHome } from "../harness/home.ts";
import { everybody, homeWithHub, passwordOf } from "../harness/people.ts";
import { documentedRoutes, pathToNothing, type DocumentedRoute } from "../harness/routes.ts";

let home: TestHome;
let people: Record<string, Api>;
let routes: DocumentedRoute[];

beforeAll(async () => {
  home = await homeWithHub();
  people = await everybody(home);
  routes = await documentedRoutes(home);
});
afterAll(() => home.destroy());

/** Fields that nobody may set: of the rows behind the answers, and of what the engines know. */
const FOREIGN = [
  ..."id,role,owner,superuser,is_admin,admin,scopes,user_id,created_at,created_by,password_hash,secret_hash,prefix".split(
    ",",
  ),
  ..."disabled,sso,kind,managed,revision,session,actor,caller,constructor,prototype,__proto__,toString".split(","),
];

test("S24: a field that a route does not know is an error, and is named, on every route", async () => {
  const admin = people["key admin"]!;
  const wrong: unknown[] = [];
  for (const route of routes.filter(({ method }) => method !== "GET"))
    for (const field of FOREIGN.filter((name) => !Object.hasOwn(route.body?.properties ?? {}, name))) {
      // Written by hand: an object of ours would not hold __proto__.
      const body = `{${JSON.stringify(field)}: ${field === "__proto__" ? "{}" : '"admin"'}}`;
      const headers = { "content-type": "application/json" };
      const answer = await admin.ask(route.method, pathToNothing(route), { body, headers });
      const refused = answer.status === 422 && answer.text.includes(`"field":"${field}","message":"unknown field"`);
      const malformed = answer.status === 400 && ["__proto__", "constructor"].includes(field);
      // What takes a file has no fields.
      const takesBytes = answer.status === 422 && answer.text.includes("expected the bytes themselves");
      if (!refused && !malformed && !takesBytes)
        wrong.push([route.method, route.path, field, answer.status, answer.text]);
    }
  for (const route of routes.filter(({ path, isStream }) => path.startsWith("/api/") && !isStream)) {
    if (route.path.endsWith("sso/callback")) continue;
    const answer = await admin.ask(route.method, `${pathToNothing(route)}?role=admin&__proto__[x]=1`, {});
    if (answer.status !== 422 || !answer.text.includes('"field":"role"'))
      wrong.push([route.method, route.path, answer.status, answer.text]);
  }
  expect(wrong).toEqual([]);
});

test("S24: nobody becomes more than he is by a field, and no database becomes another role's", async () => {
  const [viewer, operator, owner] = [people["viewer"]!, people["operator"]!, people["key admin"]!];
  expect((await viewer.patch("/api/users/viewer", { role: "admin" })).code).toBe("not_allowed");
  expect(
    (
      await viewer.post("/api/session/password", {
        current: passwordOf("viewer"),
        next: passwordOf("x"),
        role: "admin",
      })
    ).status,
  ).toBe(422);
  expect((await viewer.get("/api/session")).json()).toMatchObject({ role: "viewer", scopes: ["read"] });
  expect((await operator.post("/api/databases", { database_name: "victim" })).status).toBe(201);
  for (const name of [
    "postgres",
    "jarvis",
    "pgbouncer",
    "replicator",
    "pg_monitor",
    "PUBLIC",
    "victim_app",
    "victim_ro",
    "none",
  ]) {
    const answer = await operator.post("/api/databases", { database_name: "taken_over", owner: name });
    expect([409, 422], `${name} ${answer.status} ${answer.text}`).toContain(answer.status);
  }
  for (const template of ["postgres", "homelab_jarvis", "victim"]) {
    const answer = await operator.post("/api/databases", { database_name: "copied", template });
    expect([404, 409, 422], `${template} ${answer.status} ${answer.text}`).toContain(answer.status);
  }
  for (const name of ["homelab_jarvis", "postgres", "template1", "template0"]) {
    const refused = [
      await owner.delete(`/api/databases/${name}`, { "homelab-confirm": name }),
      await owner.post(`/api/databases/${name}/rotate`),
      await owner.get(`/api/databases/${name}/url`),
      await owner.delete(`/api/deleted-databases/${name}`),
      await owner.post("/api/operations", { operation: "database.purge", input: { deleted_name: name } }),
    ];
    for (const [i, { status, text }] of refused.entries())
      expect([404, 409, 422], `${name} ${i} ${text}`).toContain(status);
  }
  const rows = await askAsSuperuser<{ name: string }>(home, "SELECT datname AS name FROM pg_database ORDER BY 1");
  expect(rows.map(({ name }) => name)).toEqual(["homelab_jarvis", "postgres", "template0", "template1", "victim"]);
  const superusers = await askAsSuperuser(home, "SELECT rolname FROM pg_roles WHERE rolsuper");
  expect(superusers).toEqual([{ rolname: "postgres" }]);
});

test("S25: from a browser nothing is deleted whose name was not typed, by whatever route it is asked for", async () => {
  const [admin, key] = [people["admin"]!, people["key admin"]!];
  expect((await admin.post("/api/databases", { database_name: "precious" })).status).toBe(201);
  const wrong = ["", "true", "Precious", "precious,precious", "*"].map((name) => ({ "homelab-confirm": name }));
  const drop = { operation: "database.drop", input: { name: "precious" } };
  for (const headers of [{}, ...wrong])
    for (const answer of [
      await admin.delete("/api/databases/precious", headers),
      await admin.post("/api/operations", drop, headers),
    ])
      expect([answer.status, answer.code], JSON.stringify(headers)).toEqual([409, "confirmation_required"]);
  expect((await admin.get("/api/databases/precious")).status).toBe(200);
  expect((await admin.delete("/api/databases/precious?dry_run=true")).json()).toMatchObject({ dry_run: true });
  const done = await admin.delete("/api/databases/precious?wait=60", { "homelab-confirm": "precious" });
  expect(done.json()).toMatchObject({ state: "completed" });
  const again = `/api/operations/${done.json<{ id: string }>().id}/retry`;
  expect((await admin.post(again)).code).toBe("confirmation_required");
  const { items } = (await admin.get("/api/deleted-databases")).json<{ items: { deleted_name: string }[] }>();
  const path = `/api/deleted-databases/${items[0]!.deleted_name}`;
  expect((await admin.delete(path)).code).toBe("confirmation_required");
  // A key was made for what it may do; nobody drops a database for good before its time.
  for (const answer of [
    await key.delete(path),
    await admin.delete(path, { "homelab-confirm": items[0]!.deleted_name }),
  ])
    expect(answer.code).toBe("not_allowed");
});

test("S25: an old session, or a stolen cookie, shows no password and lets nobody in before the password is given again", async () => {
  const admin = people["admin"]!;
  const dangerous: [string, string, object?][] = [
    ["GET", "/api/databases/victim/url"],
    ["POST", "/api/users", { name: "accomplice", role: "admin", password: passwordOf("accomplice") }],
    ["PATCH", "/api/users/viewer", { role: "admin" }],
    ["DELETE", "/api/users/viewer"],
    ["POST", "/api/keys", { name: "back door", scopes: ["admin"] }],
  ];
  await askAsSuperuser(
    home,
    `UPDATE web_sessions SET proven_at = now() - interval '16 minutes';
     UPDATE accounts_state SET revision = revision + 1;
     SELECT pg_notify('homelab_accounts', (SELECT revision::text FROM accounts_state))`,
    "homelab_jarvis",
  );
  const isOld = async () => (await admin.get("/api/databases/victim/url")).code === "confirmation_required";
  await waitUntil(isOld, { timeout: 8, what: "the session is old" });
  for (const [method, path, body] of dangerous)
    expect((await admin.ask(method, path, { body })).code, `${method} ${path}`).toBe("confirmation_required");
  expect((await admin.get("/api/databases")).status).toBe(200);
  expect((await admin.post("/api/session/confirm", { password: "wrong" })).status).toBe(401);
  expect((await admin.get("/api/databases/victim/url")).code).toBe("confirmation_required");
  expect((await admin.post("/api/session/confirm", { password: passwordOf("ada") })).status).toBe(204);
  for (const [method, path, body] of dangerous)
    expect([200, 201, 204], `${method} ${path}`).toContain((await admin.ask(method, path, { body })).status);
});
