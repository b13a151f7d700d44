import { afterAll, beforeAll, expect, test } from "vitest";
import { Api, sendRaw, type ApiAnswer } from "../harness/api.ts";
import { askAsSuperuser } from "../harness/clients.ts";
import type { TestHome } from "../harness/home.ts";
import { browser, everybody, homeWithHub, passwordOf, signIn } from "../harness/people.ts";
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

/** What every answer says to a browser. */
const HEADERS = {
  "content-security-policy":
    "default-src 'self';base-uri 'none';object-src 'none';frame-ancestors 'none';form-action 'self';img-src 'self' data:",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cache-control": "no-store",
};

/** What is missing from an answer, or is said too much. */
function faults({ status, headers }: Pick<ApiAnswer, "status" | "headers">): string[] {
  const missing = Object.keys(HEADERS).filter((name) => headers[name] !== HEADERS[name as keyof typeof HEADERS]);
  const said = ["server", "x-powered-by", "access-control-allow-origin"].filter((name) => name in headers);
  const id = String(headers["x-request-id"]).startsWith("req_") ? [] : ["x-request-id"];
  const type = headers["content-type"];
  const isTyped =
    status >= 400
      ? type === "application/problem+json; charset=utf-8"
      : status !== 200 || type!.endsWith("; charset=utf-8");
  return [...missing, ...said, ...id, ...(isTyped ? [] : [`content-type ${type}`])];
}

/** Asks a route, and lets a stream go once it has begun. */
async function ask(api: Api, route: DocumentedRoute): Promise<Pick<ApiAnswer, "status" | "headers">> {
  if (!route.isStream) return api.ask(route.method, pathToNothing(route));
  const stream = await api.stream(pathToNothing(route));
  stream.close();
  return stream;
}

test("S21: every route answers with the whole set of headers, for whoever asks", async () => {
  const wrong: unknown[] = [];
  const statuses = new Set<number>();
  for (const route of routes)
    for (const who of ["none", "key read", "key admin"]) {
      const answer = await ask(people[who]!, route);
      statuses.add(answer.status);
      if (faults(answer).length > 0) wrong.push([route.method, route.path, who, answer.status, faults(answer)]);
    }
  expect(wrong).toEqual([]);
  for (const status of [200, 302, 401, 403, 404, 422]) expect(statuses).toContain(status);
});

test("S21: so do errors before any route, and pages for people", async () => {
  const open = people["none"]!;
  const asked: [string, string, Record<string, string>, string?][] = [
    ["GET", "/nothing", {}],
    ["PUT", "/api/databases", {}],
    ["GET", "/%zz", {}],
    ["GET", "/api/databases/%ff", {}],
    ["GET", `/api/databases/${"a".repeat(500)}`, {}],
    ["GET", "/healthz", { host: "evil.test" }],
    ["POST", "/api/session", { origin: "http://evil.test" }],
    ["POST", "/api/session", { "content-type": "text/plain" }, "x"],
    ["POST", "/api/session", { "content-type": "application/json" }, "{"],
    ["POST", "/api/session", { "content-type": "application/json" }, "[".repeat(1000)],
    ["POST", "/api/session", { "content-type": "application/json" }, `"${"x".repeat(300_000)}"`],
    ["POST", "/api/databases", { "x-api-key": "wrong" }],
    ["GET", "/readyz/x", {}],
    ["HEAD", "/healthz", {}],
    ["GET", "/login", {}],
    ["GET", "/api/docs", {}],
  ];
  for (const [method, path, headers, body] of asked) {
    const answer = await open.ask(method, path, { headers, body });
    expect(faults(answer), `${method} ${path.slice(0, 50)} ${answer.status}`).toEqual([]);
  }
  for (const bytes of ["\0\u0001\r\n\r\n", "GET /\r\n\r\n", `GET /${"a".repeat(20_000)} HTTP/1.1\r\n\r\n`]) {
    const answer = (await sendRaw(home, bytes)).toLowerCase();
    expect(answer).toMatch(/^http\/1\.1 4\d\d [^]*\r\ncontent-type: application\/problem\+json; charset=utf-8\r\n/);
    for (const name of ["content-security-policy", "x-content-type-options: nosniff", "x-request-id", "no-store"])
      expect(answer).toContain(name);
    expect(answer).not.toContain("aaaaaaa");
  }
});

const HOSTILE = [
  "<script>alert(1)</script>",
  `"><img src=x onerror=alert(1)>`,
  "</pre></details><script src=//evil.test/x></script>",
  "javascript:alert(1)",
  "<svg/onload=alert(1)>",
  "{{constructor.constructor('alert(1)')()}}",
  "'-alert(1)-'",
  "\u2028alert(1)",
];

test("S21: what others wrote stays text wherever it is shown", async () => {
  const [admin, open] = [people["key admin"]!, people["none"]!];
  const add = async (path: string, body: object) => expect((await admin.post(path, body)).status).toBe(201);
  const password = passwordOf("x");
  for (const [i, text] of HOSTILE.entries()) {
    await askAsSuperuser(home, `CREATE DATABASE "${text.replaceAll('"', '""')}" TEMPLATE template0`);
    await add("/api/tasks", { title: text, description: text, task_type: "verification" });
    await add("/api/users", { name: `user-${i}`, display_name: text.replace("\u2028", ""), password });
    const agent = Api.network(home, `127.0.2.${i + 1}`).with({ "user-agent": Buffer.from(text).toString("latin1") });
    await signIn(agent, `user-${i}`, password);
  }
  await admin.get("/api/databases?limit=1");
  const pages = ["/", "/login", "/setup", "/api/docs", "/api/docs/", "/door.js", "/api/docs.css"];
  const places = ["/", "/login?x=", "/setup?", "/api/docs?", "/api/databases/", "/api/logs/"];
  const asked = HOSTILE.flatMap((text) => places.map((place) => `${place}${encodeURIComponent(text)}`));
  const lists = "databases tasks users sessions audit logs/hub operations health"
    .split(" ")
    .map((name) => `/api/${name}`);
  for (const path of [...pages, ...asked, ...lists])
    for (const api of [admin, open, browser(open, "<script>")]) {
      const answer = await api.get(path);
      const type = String(answer.headers["content-type"] ?? "");
      expect(answer.headers["x-content-type-options"], path).toBe("nosniff");
      if (/json/.test(type)) continue;
      expect(
        HOSTILE.filter((text) => answer.text.includes(text)),
        `${path} ${type}`,
      ).toEqual([]);
      expect(JSON.stringify(answer.headers)).not.toMatch(/alert\(1\)/);
    }
  const names = (await admin.get("/api/databases?limit=1000"))
    .json<{ items: { name: string }[] }>()
    .items.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(HOSTILE));
});
