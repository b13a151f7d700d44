import { afterAll, beforeAll, expect, test } from "vitest";
import { Api } from "../harness/api.ts";
import type { TestHome } from "../harness/home.ts";
import { browser, homeWithHub, makeAdmin, ownerOf, passwordOf, signIn } from "../harness/people.ts";
import { documentedRoutes, pathToNothing, type JsonSchema } from "../harness/routes.ts";

let home: TestHome;
let owner: Api;

beforeAll(async () => {
  home = await homeWithHub();
  owner = await ownerOf(home);
});
afterAll(() => home.destroy());

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
