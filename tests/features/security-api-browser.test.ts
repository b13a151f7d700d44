import { afterAll, beforeAll, expect, test } from "vitest";
import { Api } from "../harness/api.ts";
import type { TestHome } from "../harness/home.ts";
import { browser, homeWithHub, makeAdmin } from "../harness/people.ts";
import { documentedRoutes, isUnsafe, pathToNothing, type DocumentedRoute } from "../harness/routes.ts";

let home: TestHome;
let open: Api;
/** A browser in which the admin is signed in. */
let signedIn: Api;
let own: string;
let routes: DocumentedRoute[];

beforeAll(async () => {
  home = await homeWithHub();
  open = Api.network(home);
  signedIn = browser(open, await makeAdmin(home));
  own = `http://127.0.0.1:${home.port(5000)}`;
  routes = await documentedRoutes(home);
});
afterAll(() => home.destroy());

const tasks = async () => (await signedIn.get("/api/tasks")).json<{ total: number }>().total;
const task = { title: "asked by another site", task_type: "verification" };
const addTask = (headers: Record<string, string>, body: unknown = task) => signedIn.post("/api/tasks", body, headers);

test("S18: a page of our own, and a program, may ask for a change", async () => {
  expect((await addTask({ origin: own, "sec-fetch-site": "same-origin" })).status).toBe(201);
  expect((await addTask({})).status).toBe(201);
  expect((await addTask({ "content-type": "application/json; charset=utf-8" })).status).toBe(201);
});

test("S18: every change that a page of another site asks for is refused", async () => {
  const before = await tasks();
  const sites = [
    { origin: "http://evil.test" },
    { origin: "null" },
    { origin: own.replace("http:", "https:").replace(/:\d+$/, "") },
    { origin: `${own}.evil.test` },
    { origin: own.replace("127.0.0.1", "localhost") },
    { origin: own.replace(/\d$/, (digit) => String((Number(digit) + 1) % 10)) },
    { origin: `http://evil.test/${own}` },
    { origin: "" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "cross-site", origin: own },
    { "sec-fetch-site": "same-origin", origin: "http://evil.test" },
    { "sec-fetch-site": "SAME-ORIGIN, cross-site" },
  ] as Record<string, string>[];
  for (const headers of sites) expect((await addTask(headers)).code, JSON.stringify(headers)).toBe("origin_refused");
  for (const route of routes.filter(isUnsafe)) {
    const answer = await signedIn.ask(route.method, pathToNothing(route), { headers: { origin: "http://evil.test" } });
    expect([answer.status, answer.code], `${route.method} ${route.path}`).toEqual([403, "origin_refused"]);
  }
  expect(await tasks()).toBe(before);
});

test("S18: what a form can send is not understood, on any route, even where nothing tells from which site it comes", async () => {
  const before = await tasks();
  const types = [
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "text/plain; application/json",
    "text/plain;charset=application/json",
    "application/jsonp",
    "application/problem+json",
    "text/json",
    "application/octet-stream",
    "application/json\t,text/plain",
    "",
  ];
  for (const type of types) {
    const answer = await addTask({ "content-type": type }, JSON.stringify(task));
    expect(answer.status, type).toBe(415);
  }
  for (const route of routes.filter(isUnsafe))
    for (const body of ["", "a=1", JSON.stringify(task)]) {
      const headers = { "content-type": "text/plain", "content-length": String(body.length) };
      const answer = await signedIn.ask(route.method, pathToNothing(route), { headers, body });
      expect(answer.status, `${route.method} ${route.path} ${body}`).toBe(415);
    }
  expect(await tasks()).toBe(before);
});

test("S18: no header and no field makes one method another", async () => {
  const made = (await addTask({})).json<{ id: string }>();
  const path = `/api/tasks/${made.id}`;
  const change = { status: "cancelled" };
  for (const name of ["x-http-method-override", "x-http-method", "x-method-override"])
    for (const method of ["PATCH", "DELETE"])
      expect((await signedIn.post(path, change, { [name]: method })).status).toBe(405);
  expect((await signedIn.post(`${path}?_method=PATCH`, change)).status).toBe(405);
  expect((await signedIn.get("/api/tasks")).text).not.toContain("cancelled");
});

test("S19: no origin is ever allowed to read an answer", async () => {
  const origins = [
    own,
    "null",
    "http://evil.test",
    `${own}.evil.test`,
    "http://localhost",
    "file://",
    "*",
    "http://127.0.0.1",
  ];
  for (const origin of origins)
    for (const path of [
      "/api/databases",
      "/api/session",
      "/api/keys",
      "/healthz",
      "/metrics",
      "/nothing",
      "/api/openapi.json",
    ]) {
      const asked = {
        origin,
        "access-control-request-method": "DELETE",
        "access-control-request-headers": "x-api-key",
      };
      const answers = [await signedIn.get(path, { origin }), await open.ask("OPTIONS", path, { headers: asked })];
      for (const { headers } of answers)
        expect(
          Object.keys(headers).filter((name) => name.startsWith("access-control")),
          `${origin} ${path}`,
        ).toEqual([]);
      expect([404, 405]).toContain(answers[1]!.status);
    }
  for (const path of ["/api/databases", "/api/session"])
    expect((await signedIn.get(`${path}?callback=x`)).status).toBe(422);
});
