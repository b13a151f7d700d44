import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Api, sendRaw } from "../harness/api.ts";
import { askAsSuperuser } from "../harness/clients.ts";
import type { TestHome } from "../harness/home.ts";
import { hostileNames } from "../harness/hostile-names.ts";
import { browser, homeWithHub, makeAdmin, ownerOf, passwordOf, signIn } from "../harness/people.ts";
import { documentedRoutes, pathToNothing, type JsonSchema } from "../harness/routes.ts";
import { holding } from "../harness/sweep.ts";

let home: TestHome;
let owner: Api;

beforeAll(async () => {
  home = await homeWithHub();
  owner = await ownerOf(home);
});
afterAll(() => home.destroy());

/** Everything that a creation could leave behind. */
async function everything(): Promise<unknown> {
  const databases = await askAsSuperuser(home, "SELECT datname, datdba FROM pg_database ORDER BY 1");
  const roles = await askAsSuperuser(home, "SELECT rolname FROM pg_authid ORDER BY rolname");
  return { databases, roles, files: readFileSync(join(home.paths.etc, "pgbouncer.ini"), "utf8") };
}

/** The same names as parts of others, in each place. */
const names = hostileNames.flatMap((name) => [name, `${name}"`, `shop${name}`.replace(/^shop([a-z0-9_]*)$/, "Shop$1")]);

test(`F92: ${names.length} hostile names are refused by every route that takes one, and nothing is made`, async () => {
  const before = await everything();
  const wrong: unknown[] = [];
  for (const name of names) {
    const made = await owner.post("/api/databases", { database_name: name });
    if (made.status !== 422 || !["name_refused", "input_invalid"].includes(made.code!))
      wrong.push([name, "POST", made.text]);
    const service = await owner.post("/api/databases/provision-for-service?dry_run=true", { service_name: name });
    if (![200, 422].includes(service.status)) wrong.push([name, "service", service.text]);
    if (!hostileNames.includes(name) || !name || /^\.+$/.test(name) || name.length > 4000) continue;
    const path = `/api/databases/${encodeURIComponent(name)}`;
    // What PostgreSQL itself has by such a name is shown, and left alone.
    const isThere = ["postgres", "template0", "template1"].includes(name);
    const allowed = isThere ? [200, 404, 409] : [404, 409, 422];
    const answers = [
      await owner.get(path),
      await owner.get(`${path}/url`),
      await owner.delete(path),
      await owner.post(`${path}/rotate`),
    ];
    for (const { status, text } of answers) if (!allowed.includes(status)) wrong.push([name, status, text]);
  }
  expect(wrong).toEqual([]);
  expect(await everything()).toEqual(before);
});

test("F93: SQL in any other field is refused, and nothing is made", async () => {
  const before = await everything();
  const values = [
    "x; DROP ROLE postgres",
    `x"; DROP DATABASE postgres; --`,
    "x' OR '1'='1",
    "postgres SUPERUSER",
    "x\n y",
    "$1",
    "",
    "X",
    "a".repeat(64),
  ];
  const wrong: unknown[] = [];
  for (const value of values)
    for (const field of ["owner", "template", "statement_timeout", "connection_limit", "protect", "extensions"])
      for (const given of [value, [value], { $ne: value }]) {
        const answer = await owner.post("/api/databases", { database_name: "injected", [field]: given });
        if (answer.status !== 422) wrong.push([field, given, answer.status, answer.text]);
      }
  expect(wrong).toEqual([]);
  expect(await everything()).toEqual(before);
});

test("S29: a log's name never becomes a path, however it is written", async () => {
  const secrets = JSON.parse(readFileSync(home.paths.secrets, "utf8")) as Record<string, string>;
  const key = secrets["dashboard_api_key"]!;
  const names = [
    "..",
    "../secrets.json",
    "../../etc/passwd",
    "/etc/passwd",
    "hub/../../secrets.json",
    "hub.log",
    "agent.log",
    "hub\0",
    "hub\0.log",
    "HUB",
    " hub",
    "hub ",
    "....//secrets.json",
    "..\\secrets.json",
    "postgres-Fri.json",
    "*",
    "%2e%2e",
    "~",
    "keeper",
  ];
  const encodings = [
    encodeURIComponent,
    (name: string) => name.replaceAll(".", "%2e").replaceAll("/", "%2f").replaceAll("\0", "%00"),
    (name: string) => encodeURIComponent(encodeURIComponent(name)),
    (name: string) => name.replaceAll("\0", "%00"),
    (name: string) => name.replaceAll("/", "%c0%af").replaceAll("\0", "%00"),
  ];
  for (const name of names)
    for (const encode of encodings)
      for (const path of [`/api/logs/${encode(name)}`, `/api/logs/${encode(name)}/events`]) {
        const answer = await sendRaw(
          home,
          `GET ${path.replaceAll(" ", "%20").replaceAll("\\", "%5c")} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${key}\r\nConnection: close\r\n\r\n`,
        );
        expect(answer.split(" ")[1], path).toMatch(/^4/);
        expect(holding(answer, secrets), path).toEqual([]);
        expect(answer, path).not.toMatch(/root:|\/home\/|\/tmp\//);
      }
  for (const path of [
    "/../secrets.json",
    "/door.js/../../secrets.json",
    "/%2e%2e/secrets.json",
    "//etc/passwd",
    "/api/docs.css/..%2f..%2fsecrets.json",
  ])
    expect(
      (await sendRaw(home, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)).split(" ")[1],
      path,
    ).toBe("404");
});

test("S30: nothing that is sent reaches the prototype of anything", async () => {
  const admin = browser(Api.network(home), await makeAdmin(home));
  expect((await owner.post("/api/users", { name: "viewer", password: passwordOf("viewer") })).status).toBe(201);
  const viewer = browser(Api.network(home), await signIn(Api.network(home), "viewer"));
  const seen = async () => [
    (await viewer.get("/api/session")).text,
    (await admin.get("/api/openapi.json")).text,
    (await viewer.get("/api/keys")).status,
  ];
  const before = await seen();
  const polluted = '{"scopes":["admin"],"role":"admin","isAdmin":true,"kind":"local","scope":null}';
  const shapes = [
    `{"__proto__":${polluted}}`,
    `{"constructor":{"prototype":${polluted}}}`,
    `[{"__proto__":${polluted}}]`,
    `{"a":{"__proto__":${polluted}}}`,
    `{"\\u005f_proto__":${polluted}}`,
  ];
  for (const route of (await documentedRoutes(home)).filter(({ method }) => method !== "GET"))
    for (const body of shapes) {
      if (route.path === "/api/session" && route.method === "DELETE") continue;
      const answer = await admin.ask(route.method, pathToNothing(route), {
        body,
        headers: { "content-type": "application/json" },
      });
      expect([400, 409, 422], `${route.method} ${route.path} ${body} ${answer.text}`).toContain(answer.status);
    }
  const input = `{"operation":"service.restart","input":{"service":"haproxy","__proto__":{"x":1}}}`;
  expect(
    (
      await admin.ask("POST", "/api/operations?dry_run=true", {
        body: input,
        headers: { "content-type": "application/json" },
      })
    ).status,
  ).toBe(400);
  for (const query of [
    "__proto__[role]=admin",
    "constructor[prototype][role]=admin",
    "__proto__=x",
    "limit[__proto__]=1",
  ])
    expect((await admin.get(`/api/databases?${query}`)).status, query).toBe(422);
  expect(await seen()).toEqual(before);
});

test("S31: texts of 100 kB in any field are refused in less than 50 ms each", async () => {
  const slow: unknown[] = [];
  const texts = ["a", "a ", "A1", "-", "_a", "(", "\n", "1", "a.", "a-", "é", "://", "\\", "a@", "9d"].map(
    (part) => `${part.repeat(100_000 / part.length)}!`,
  );
  for (const route of (await documentedRoutes(home)).filter(({ body }) => body))
    for (const field of stringFields(route.body!))
      for (const text of texts) {
        const body = fieldOf(field, text);
        let best = Infinity;
        for (let i = 0; i < 3 && best > 50; i++) {
          const begun = performance.now();
          const { status } = await owner.ask(route.method, pathToNothing(route), {
            body,
            headers: { "content-type": "application/json" },
          });
          best = Math.min(best, performance.now() - begun);
          expect([401, 403, 404, 409, 422], `${route.path} ${field} ${text.slice(0, 5)}`).toContain(status);
        }
        if (best > 50) slow.push([route.path, field, text.slice(0, 5), best]);
      }
  expect(slow).toEqual([]);
}, 60_000);

/** The fields of a body that hold texts, with the brackets of those that are lists. */
const stringFields = ({ properties = {} }: JsonSchema): string[] =>
  Object.entries(properties).map(([name, { type }]) => (type === "array" ? `${name}[]` : name));

const fieldOf = (field: string, text: string): string =>
  JSON.stringify(field.endsWith("[]") ? { [field.slice(0, -2)]: [text] } : { [field]: text });
