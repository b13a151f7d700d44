import { afterAll, beforeAll, expect, test } from "vitest";
import { Api, type ApiAnswer } from "../harness/api.ts";
import type { TestHome } from "../harness/home.ts";
import { browser, everybody, homeWithHub, passwordOf, signIn } from "../harness/people.ts";
import { documentedRoutes, pathToNothing } from "../harness/routes.ts";

let home: TestHome;
let people: Record<string, Api>;

beforeAll(async () => {
  home = await homeWithHub();
  people = await everybody(home);
});
afterAll(() => home.destroy());

interface Entry {
  seq: number;
  actor: string;
  action: string;
  target: string | null;
  result: string;
  address: string | null;
  request_id: string | null;
}
const audit = async (query = "") =>
  (await people["key admin"]!.get(`/api/audit?limit=1000${query}`)).json<{ items: Entry[]; total: number }>();

/** The lines that a request left, the newest first. */
async function linesOf(work: () => Promise<ApiAnswer>): Promise<{ answer: ApiAnswer; lines: Entry[] }> {
  const [before] = (await audit()).items;
  const answer = await work();
  return { answer, lines: (await audit()).items.filter(({ seq }) => seq > (before?.seq ?? 0)) };
}

/** One request, and what the one line says that it must leave: action, target, result. */
type Case = [who: string, request: string, body: object | undefined, line: string];

const task = { title: "look", task_type: "verification" };
const wiki = { service_name: "wiki" };
const mistaken = { user_name: "ada", password: "wrong" };
const right = { user_name: "viewer", password: passwordOf("viewer") };
const drop = { operation: "database.drop", input: { name: "shop" } };
const user = { name: "linus", role: "viewer", password: passwordOf("linus") };

const CASES: Case[] = [
  ["operator", "POST /api/databases", { database_name: "shop" }, "database.provision | shop | done"],
  ["operator", "POST /api/databases", { database_name: "shop" }, "database.provision | shop | database_exists"],
  ["operator", "POST /api/databases", { database_name: "Bad" }, "database.provision | Bad | name_refused"],
  ["key provision", "POST /api/databases/provision-for-service", wiki, "database.provision | wiki_db | done"],
  ["key provision", "GET /api/databases/shop/url", undefined, "database.read-password | shop | done"],
  ["operator", "POST /api/databases/shop/rotate?wait=60", {}, "database.rotate-password | shop | done"],
  ["key admin", "POST /api/services/haproxy/restart?wait=60", {}, "service.restart | haproxy | done"],
  ["operator", "DELETE /api/databases/shop", undefined, "database.drop | shop | confirmation_required"],
  ["key provision", "DELETE /api/databases/shop?wait=60", undefined, "database.drop | shop | done"],
  ["key provision", "POST /api/databases/shop/undelete?wait=60", {}, "database.undelete | shop | done"],
  ["admin", "POST /api/users", user, "user.create | user:linus | done"],
  ["admin", "POST /api/users", user, "user.create | user:linus | name_taken"],
  ["admin", "PATCH /api/users/linus", { role: "operator" }, "user.update | user:linus | done"],
  ["admin", "DELETE /api/users/linus", undefined, "user.delete | user:linus | done"],
  ["admin", "PATCH /api/users/ada", { role: "viewer" }, "user.update | user:ada | last_admin"],
  ["admin", "POST /api/keys", { name: "laptop", scopes: ["read"] }, "key.create | key:laptop | done"],
  ["admin", "POST /api/setup/link", undefined, "setup.link |  | not_allowed"],
  ["none", "POST /api/session", mistaken, "session.open | user:ada | not_signed_in"],
  ["none", "POST /api/session", right, "session.open | user:viewer | done"],
  ["viewer", "POST /api/session/confirm", { password: "wrong" }, "session.confirm | user:viewer | not_signed_in"],
  ["viewer", "POST /api/session/confirm", { password: right.password }, "session.confirm | user:viewer | done"],
  ["operator", "POST /api/tasks", task, "task.create | * | done"],
  ["viewer", "POST /api/tasks", task, "task.create | * | not_allowed"],
  ["viewer", "GET /api/users", undefined, "GET /api/users |  | not_allowed"],
  ["none", "GET /api/audit", undefined, "GET /api/audit |  | not_signed_in"],
  ["viewer", "POST /api/operations", drop, "* | * | not_allowed"],
];

test("S34: each change, each password that is read and each denial leaves one line that says who, what, whence and how it ended", async () => {
  const names: Record<string, string> = {
    none: "nobody",
    admin: "user:ada",
    viewer: "user:viewer",
    operator: "user:operator",
  };
  for (const [who, request, body, line] of CASES) {
    const [method, path] = request.split(" ") as [string, string];
    const [action, target, result] = line.split(" | ") as [string, string, string];
    const { answer, lines } = await linesOf(() => people[who]!.ask(method, path, { body }));
    const what = `${who} ${request} ${answer.status}`;
    expect(lines, what).toHaveLength(1);
    const isNew = who === "none" && result === "done";
    const actor = isNew ? "user:viewer" : (names[who] ?? `key:${who.replace("key ", "key for ")}`);
    const request_id = answer.headers["x-request-id"];
    expect(lines[0], what).toMatchObject({ actor, result, request_id, address: "127.0.0.1" });
    if (action !== "*") expect(lines[0]!.action, what).toBe(action);
    if (target !== "*") expect(lines[0]!.target ?? "", what).toBe(target);
  }
});

test("S34: a plan, a look and a wrong path leave none", async () => {
  const admin = people["key admin"]!;
  for (const path of ["/api/databases", "/api/users", "/nothing", "/api/databases/not_there"])
    expect((await linesOf(() => admin.get(path))).lines, path).toEqual([]);
  for (const [path, body] of [
    ["/api/databases?dry_run=true", { database_name: "planned" }],
    ["/api/users?dry_run=true", { name: "planned", password: passwordOf("planned") }],
    ["/api/databases/shop/rotate?dry_run=true", {}],
    ["/api/operations?dry_run=true", { operation: "service.restart", input: { service: "haproxy" } }],
  ] as const)
    expect((await linesOf(() => admin.post(path, body))).lines, path).toEqual([]);
});

test("S34: every route that changes something leaves a line when it is denied", async () => {
  const wrong: unknown[] = [];
  for (const route of (await documentedRoutes(home)).filter(
    ({ method, scope }) => method !== "GET" && scope !== null,
  )) {
    const { answer, lines } = await linesOf(() =>
      people["key read"]!.ask(route.method, pathToNothing(route), {
        body: { operation: "database.drop", input: { name: "x" } },
      }),
    );
    const refused = answer.status === 403;
    if (refused && (lines.length !== 1 || lines[0]!.result !== "not_allowed"))
      wrong.push([route.method, route.path, answer.status, lines]);
  }
  expect(wrong).toEqual([]);
});

test("S34: what is secret in a request is in no line", async () => {
  const token = await signIn(Api.network(home), "viewer");
  await browser(Api.network(home), token).delete("/api/session");
  const { text } = await people["key admin"]!.get("/api/audit?limit=1000");
  expect(text).toContain("session.close");
  for (const secret of [
    token,
    passwordOf("viewer"),
    passwordOf("linus"),
    "$argon2",
    await home.secret("dashboard_api_key"),
  ])
    expect(text).not.toContain(secret);
});
