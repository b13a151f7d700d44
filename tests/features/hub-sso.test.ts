import { appendFile } from "node:fs/promises";
import { stringify } from "yaml";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Api, type ApiAnswer } from "../harness/api.ts";
import { TestHome } from "../harness/home.ts";
import { OidcBrowser } from "../harness/oidc-browser.ts";
import { TestProvider } from "../harness/oidc-provider.ts";

const SECRET = "a secret between two";

let home: TestHome;
let provider: TestProvider;
let base: string;

beforeAll(async () => {
  home = await TestHome.up();
  base = `http://127.0.0.1:${home.port(5000)}`;
  provider = await TestProvider.start({
    clients: [{ client_id: "hub", client_secret: SECRET, redirect_uris: [`${base}/api/session/sso/callback`] }],
    accounts: {
      "0001": { preferred_username: "ada", name: "Ada", groups: ["admins"] },
      "0002": { preferred_username: "nora", groups: ["family"] },
    },
  });
  const sso = { issuer: provider.issuer, client_id: "hub", client_secret: SECRET, roles: { admin: ["admins"] } };
  await appendFile(home.paths.settings, stringify({ sso: { ...sso, scopes: ["openid", "profile", "groups"] } }));
  await home.ok("up");
});
afterAll(async () => {
  await provider?.goAway();
  await home?.destroy();
});

const cookiesOf = ({ headers }: ApiAnswer): string =>
  (headers["set-cookie"] ?? []).map((line) => line.split(";")[0]!).join("; ");

/** A browser's way in: from the hub to the provider, and back. */
async function logIn(account: string, returnTo = "/"): Promise<ApiAnswer> {
  const begun = await Api.network(home).get(`/api/session/sso?return_to=${encodeURIComponent(returnTo)}`);
  expect(begun.status).toBe(302);
  const back = await new OidcBrowser().follow(
    String(begun.headers.location),
    account,
    `${base}/api/session/sso/callback`,
  );
  return Api.network(home).get(back.slice(base.length), { cookie: cookiesOf(begun) });
}

test("somebody whom the provider knows comes in with the role of his group, and to the page that was asked for", async () => {
  const back = await logIn("0001", "/api/docs");
  expect(back).toMatchObject({ status: 302, headers: { location: "/api/docs" } });
  const me = await Api.network(home).get("/api/session", { cookie: cookiesOf(back) });
  expect(me.json()).toEqual({ name: "user:ada", kind: "user", role: "admin", scopes: ["admin"] });
  const users = await Api.network(home).get("/api/users", { cookie: cookiesOf(back) });
  expect(users.json()).toMatchObject({ items: [{ name: "ada", sso: true, has_password: false, role: "admin" }] });
  expect((await Api.network(home).get("/api/setup")).json()).toEqual({
    needed: false,
    sso: { name: "Single sign-on" },
  });
});

test("an account without one of the groups is refused, and a link to elsewhere is not followed", async () => {
  expect(await logIn("0002")).toMatchObject({ status: 403, code: "sso_refused" });
  expect((await logIn("0001", "//evil.test/")).headers.location).toBe("/");
});

test("the answer of another browser's login opens nothing", async () => {
  const begun = await Api.network(home).get("/api/session/sso");
  const back = await new OidcBrowser().follow(
    String(begun.headers.location),
    "0001",
    `${base}/api/session/sso/callback`,
  );
  const stranger = await Api.network(home).get(back.slice(base.length));
  expect(stranger).toMatchObject({ status: 400, code: "sso_failed" });
  expect(stranger.headers["set-cookie"]).toBeUndefined();
});

test("with the provider away, people with a password and programs come in as ever", async () => {
  await provider.goAway();
  const added = await Api.socket(home).post("/api/users", {
    name: "otto",
    password: "correct horse battery",
    role: "viewer",
  });
  expect(added.status).toBe(201);
  const session = await Api.network(home).post("/api/session", {
    user_name: "otto",
    password: "correct horse battery",
  });
  expect(session.status).toBe(200);
  expect((await home.run(["config", "show"])).stdout).not.toContain(SECRET);
});
