import { afterAll, beforeAll, expect, test } from "vitest";
import { Api, sendRaw } from "../harness/api.ts";
import type { TestHome } from "../harness/home.ts";
import { homeWithHub, ownerOf } from "../harness/people.ts";
import { documentedRoutes, pathToNothing } from "../harness/routes.ts";

let home: TestHome;
let open: Api;

beforeAll(async () => {
  home = await homeWithHub();
  open = Api.network(home);
});
afterAll(() => home.destroy());

test("S20: a name that a stranger could have pointed at us is refused on every route", async () => {
  const owner = await ownerOf(home);
  for (const route of await documentedRoutes(home)) {
    const answer = await owner.ask(route.method, pathToNothing(route), { headers: { host: "evil.test" } });
    expect([answer.status, answer.code], `${route.method} ${route.path}`).toEqual([421, "host_refused"]);
  }
  const port = home.port(5000);
  const strange = [
    "evil.test:80",
    "EVIL.TEST",
    "localhost.evil.test",
    "127.0.0.1.evil.test",
    "evil.test.",
    "127.0.0.1@evil.test",
  ];
  const odd = [
    "evil.test#localhost",
    "evil.test/127.0.0.1",
    "127.0.0.1.",
    "[::1].evil.test",
    "[evil.test]",
    "evil.test:x",
    "1.2.3.4.5",
  ];
  for (const host of [...strange, ...odd]) expect((await open.get("/healthz", { host })).status, host).toBe(421);
  const fine = [
    "localhost",
    `localhost:${port}`,
    `127.0.0.1:${port}`,
    `[::1]:${port}`,
    "192.168.1.5",
    "nas.local",
    "NAS.lan:8080",
    "homelab",
  ];
  for (const host of fine) expect((await open.get("/healthz", { host })).status, host).toBe(200);
  for (const name of ["x-forwarded-host", "x-original-host", "forwarded"])
    expect((await open.get("/healthz", { host: "evil.test", [name]: "localhost" })).status, name).toBe(421);
  const raw = async (head: string) => (await sendRaw(home, `${head}\r\nConnection: close\r\n\r\n`)).split(" ")[1];
  expect(await raw("GET /healthz HTTP/1.1")).toBe("400");
  expect(await raw("GET http://evil.test/healthz HTTP/1.1\r\nHost: evil.test")).toBe("421");
  expect(await raw("GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.test")).toBe("400");
  expect(await raw("GET /healthz HTTP/1.0\r\nHost: evil.test")).toBe("421");
  expect(await raw("GET /healthz HTTP/1.1\r\nHost:\r\nX: y")).toBe("421");
});
