import { afterAll, beforeAll, expect, test } from "vitest";
import { registry } from "../../src/operations/registry.ts";
import { Api } from "../harness/api.ts";
import type { TestHome } from "../harness/home.ts";
import { browser, everybody, homeWithHub, ownerOf, passwordOf, signIn } from "../harness/people.ts";
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

/** Who may do what, once more than in the program: a route that is new, or that is opened wider, fails until it is here. */
const MAY: Record<string, string> = {
  none: `GET / | GET /setup | GET /login | GET /door.js | GET /door.css | GET /healthz | GET /readyz | GET /api/docs
    | GET /api/docs.css | GET /api/openapi.json | GET /api/setup | POST /api/setup | POST /api/session
    | DELETE /api/session | GET /api/session/sso | GET /api/session/sso/callback`,
  read: `GET /api/databases | GET /api/databases/{name} | GET /api/deleted-databases | GET /api/operations
    | POST /api/operations | GET /api/operations/{id} | GET /api/operations/{id}/log | GET /api/operations/{id}/events
    | POST /api/operations/{id}/cancel | POST /api/operations/{id}/retry | GET /api/platform/health
    | GET /api/platform/migrations | GET /api/workflows | GET /api/workflows/{id} | GET /api/tasks | GET /api/session
    | POST /api/session/confirm | POST /api/session/password | GET /api/sessions | DELETE /api/sessions/{id}
    | GET /api/databases/{name}/dumps
    | GET /api/platform/kit | GET /api/health | GET /api/hubs | GET /api/cluster | GET /api/summary | GET /api/events | GET /metrics
    | GET /api/storage | GET /api/backups | GET /api/backups/retention | GET /api/backups/timetable | GET /api/database-status
    | GET /api/proofs | GET /api/recovery-window | GET /api/restores`,
  provision: `POST /api/databases | POST /api/databases/provision-for-service | DELETE /api/databases/{name}
    | GET /api/databases/{name}/url | POST /api/databases/{name}/undelete | POST /api/databases/{name}/rotate
    | POST /api/databases/{name}/finish-rotation | GET /api/databases/{name}/export | POST /api/databases/{name}/import
    | POST /api/databases/{name}/branches`,
  operate: `POST /api/databases/{name}/dumps | POST /api/tasks | PATCH /api/tasks/{id} | GET /api/logs/{service} | GET /api/logs/{service}/events
    | GET /api/config | POST /api/cluster/converge | POST /api/services/{service}/restart
    | POST /api/storage/{name}/test | POST /api/backups | POST /api/backups/check | POST /api/proofs | POST /api/restores
    | POST /api/restores/{name}/switch-to | DELETE /api/restores/{name} | POST /api/databases/{name}/switch-back`,
  admin: `POST /api/setup/link | GET /api/users | POST /api/users | PATCH /api/users/{name} | DELETE /api/users/{name}
    | GET /api/keys | POST /api/keys | DELETE /api/keys/{prefix} | GET /api/audit | GET /api/audit/proof
    | DELETE /api/deleted-databases/{deleted_name} | POST /api/storage | DELETE /api/storage/{name} | POST /api/platform/kit
    | POST /api/cluster/restore | POST /api/cluster/undo-restore | POST /api/cluster/discard-replaced`,
};

/** What each kind of caller may. */
const SCOPES: Record<string, string[]> = {
  none: [],
  viewer: ["read"],
  operator: ["read", "provision", "operate"],
  admin: ["read", "provision", "operate", "admin"],
  "key read": ["read"],
  "key provision": ["read", "provision"],
  "key operate": ["read", "operate"],
  "key admin": ["read", "provision", "operate", "admin"],
};

test("S23: the document says of every route who may, and that is what was meant", () => {
  const meant = Object.entries(MAY).flatMap(([scope, text]) =>
    text.split("|").map((route) => `${route.trim()} ${scope}`),
  );
  expect(routes.map(({ method, path, scope }) => `${method} ${path} ${scope ?? "none"}`).sort()).toEqual(meant.sort());
});

test("S23: every route lets in whom it says, with whatever key or session, and nobody else", async () => {
  const wrong: unknown[] = [];
  for (const route of routes)
    for (const [who, api] of Object.entries(people)) {
      // It would sign this browser out, and every route after it would be refused.
      if (route.method === "DELETE" && route.path === "/api/session") continue;
      const methods = route.method === "GET" && !route.isStream ? ["GET", "HEAD"] : [route.method];
      for (const method of methods) {
        const path = pathToNothing(route);
        const answer = route.isStream
          ? await opened(api, path)
          : await api.ask(method, path, { body: isBodied(method) ? {} : undefined });
        const expected = route.scope === null || SCOPES[who]!.includes(route.scope) ? "in" : who === "none" ? 401 : 403;
        const isIn =
          answer.status !== 401 &&
          !(answer.status === 403 && /it needs the scope/.test(answer.text || "it needs the scope"));
        if (expected === "in" ? !isIn : answer.status !== expected)
          wrong.push([method, route.path, who, answer.status, answer.text]);
      }
    }
  expect(wrong).toEqual([]);
});

const isBodied = (method: string) => ["POST", "PATCH"].includes(method);

async function opened(api: Api, path: string): Promise<{ status: number; text: string }> {
  const stream = await api.stream(path);
  stream.close();
  return { status: stream.status, text: "" };
}

test("S23: methods that the document does not list do nothing", async () => {
  const listed = new Set(routes.map(({ method, path }) => `${method} ${path}`));
  const paths = new Map(routes.map((route) => [route.path, pathToNothing(route)]));
  for (const [pattern, path] of paths)
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]) {
      // A word in the place of a name is a name to another method.
      if (
        listed.has(`${method} ${pattern}`) ||
        (listed.has(`${method} /api/databases/{name}`) && /^.api.databases.[a-z-]+$/.test(pattern))
      )
        continue;
      const { status } = await people["admin"]!.ask(method, path);
      expect([404, 405], `${method} ${pattern} ${status}`).toContain(status);
    }
});

test("S23: an operation is begun, cancelled and repeated by those alone who may ask for it, whichever way it is asked for", async () => {
  const inputs: Record<string, object> = { "service.restart": { service: "haproxy" } };
  for (const { name, scope, route } of registry)
    for (const [who, api] of Object.entries(people)) {
      const body = { operation: name, input: inputs[name] ?? { name: "not_there", deleted_name: "not_there" } };
      const { status, text } = await api.post("/api/operations?dry_run=true", body);
      const allowed = SCOPES[who]!.includes(scope) && route !== null;
      if (allowed) expect([401, 403], `${name} ${who} ${text}`).not.toContain(status);
      else expect(status, `${name} ${who} ${text}`).toBe(who === "none" ? 401 : 403);
    }
  const restart = { operation: "service.restart", input: { service: "haproxy" } };
  const begun = await people["operator"]!.post("/api/operations?wait=60", restart);
  const { id } = begun.json<{ id: string }>();
  for (const what of ["cancel", "retry"])
    for (const who of ["viewer", "key read", "key provision"])
      expect((await people[who]!.post(`/api/operations/${id}/${what}`)).code, `${who} ${what}`).toBe("not_allowed");
});

test("S22: nobody sees or ends the browser of somebody else, or learns that it is there; an admin does", async () => {
  const open = Api.network(home, "127.0.0.9");
  const owner = await ownerOf(home);
  for (const name of ["bob", "eve"])
    expect((await owner.post("/api/users", { name, role: "operator", password: passwordOf(name) })).status).toBe(201);
  const [bob, eve] = [browser(open, await signIn(open, "bob")), browser(open, await signIn(open, "eve"))];
  const sessions = async (api: Api) =>
    (await api.get("/api/sessions")).json<{ items: { id: string; user: string }[] }>().items;
  const [mine] = await sessions(bob);
  expect((await sessions(bob)).map(({ user }) => user)).toEqual(["bob"]);
  for (const who of [eve, people["viewer"]!, people["key read"]!, people["key operate"]!]) {
    expect((await sessions(who)).filter(({ user }) => user === "bob")).toEqual([]);
    const there = await who.delete(`/api/sessions/${mine!.id}`);
    const nothing = await who.delete("/api/sessions/00000000-0000-4000-8000-000000000000");
    expect([there.status, there.json()["detail"]]).toEqual([nothing.status, nothing.json()["detail"]]);
    expect(there.status).toBe(404);
  }
  expect((await bob.get("/api/session")).status).toBe(200);
  // A key named as a user is not that user.
  const key = await owner.post("/api/keys", { name: "bob", scopes: ["read"] });
  const named = open.withKey(key.json<{ key: string }>().key);
  expect([await sessions(named), (await named.delete(`/api/sessions/${mine!.id}`)).status]).toEqual([[], 404]);
  const stolen = { current: passwordOf("bob"), next: passwordOf("new") };
  expect((await eve.post("/api/session/password", stolen)).status).toBe(401);
  expect((await owner.delete(`/api/sessions/${mine!.id}`)).status).toBe(204);
  expect((await bob.get("/api/session")).status).toBe(401);
});
