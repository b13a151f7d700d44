import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Api, type ApiAnswer } from "../harness/api.ts";
import type { TestHome } from "../harness/home.ts";
import { browser, cookieOf, homeWithHub, makeAdmin, ownerOf, passwordOf, signIn } from "../harness/people.ts";

/** Seconds after which a session ends: idle, and in any case. */
const [IDLE, LIFETIME] = [3, 8];

let home: TestHome;
/** Somebody in the LAN, who comes past the proxy. */
let direct: Api;
/** What the trusted proxy hands on from a browser that speaks https. */
let proxied: Api;

beforeAll(async () => {
  home = await homeWithHub({
    HOMELAB_HUB__TRUSTED_PROXIES: "[127.0.0.1]",
    HOMELAB_HUB__BASE_PATH: "/homelab",
    HOMELAB_HUB__SESSION_IDLE: `${IDLE}s`,
    HOMELAB_HUB__SESSION_LIFETIME: `${LIFETIME}s`,
  });
  direct = Api.network(home, "127.0.0.2");
  proxied = Api.network(home).with({ "x-forwarded-proto": "https", "x-forwarded-for": "198.51.100.7" });
  await makeAdmin(home);
  const user = { name: "grace", role: "operator", password: passwordOf("grace") };
  expect((await (await ownerOf(home, "127.0.0.2")).post("/api/users", user)).status).toBe(201);
});
afterAll(() => home.destroy());

const login = (api: Api, headers?: Record<string, string>) =>
  api.post("/api/session", { user_name: "grace", password: passwordOf("grace") }, headers);
const who = async (api: Api, token: string) => (await browser(api, token).get("/api/session")).status;
const secure = (token: string) => proxied.with({ cookie: `__Host-homelab_session=${token}` });

/** The attributes of the one cookie that an answer sets, in small letters and in order. */
function attributes(answer: ApiAnswer): string[] {
  expect(answer.headers["set-cookie"]).toHaveLength(1);
  const [pair, ...rest] = answer.headers["set-cookie"]![0]!.split(/; */);
  return [pair!.split("=")[0]!, ...rest.map((text) => text.toLowerCase()).sort()];
}

test("S16: on plain http the cookie is closed to scripts and other sites; it is Secure and __Host- behind a trusted proxy with TLS", async () => {
  const common = ["httponly", `max-age=${LIFETIME}`, "path=/", "samesite=lax"];
  expect(attributes(await login(direct))).toEqual(["homelab_session", ...common]);
  expect(attributes(await login(proxied))).toEqual(["__Host-homelab_session", ...common, "secure"]);
  // A stranger's word for https counts for nothing, nor does a proxy's that speaks http.
  expect(attributes(await login(direct, { "x-forwarded-proto": "https" }))).toEqual(["homelab_session", ...common]);
  expect(attributes(await login(Api.network(home), { "x-forwarded-proto": "http" }))).toEqual([
    "homelab_session",
    ...common,
  ]);
  expect(attributes(await proxied.delete("/api/session"))).toEqual([
    "__Host-homelab_session",
    "httponly",
    "max-age=0",
    "path=/",
    "samesite=lax",
    "secure",
  ]);
});

test("S17: a cookie that plain http could have set is not looked at under https, and the other way round", async () => {
  const [plain, tls] = [cookieOf(await login(direct))!, cookieOf(await login(proxied))!];
  expect([await who(direct, plain), (await secure(tls).get("/api/session")).status]).toEqual([200, 200]);
  expect([await who(proxied, plain), await who(proxied, tls)]).toEqual([401, 401]);
  expect((await direct.with({ cookie: `__Host-homelab_session=${tls}` }).get("/api/session")).status).toBe(401);
});

test("S16: whoever signs in gets a new token: a planted one is worth nothing, and the one before ends", async () => {
  const planted = "A".repeat(43);
  const first = cookieOf(await login(browser(direct, planted)))!;
  expect(first).not.toBe(planted);
  expect([await who(direct, planted), await who(direct, first)]).toEqual([401, 200]);
  const second = cookieOf(await login(browser(direct, first)))!;
  expect(second).not.toBe(first);
  expect([await who(direct, first), await who(direct, second)]).toEqual([401, 200]);
  expect(Buffer.from(second, "base64url").length * 8).toBeGreaterThanOrEqual(128);
});

test("S16: a token is worth nothing after the sign-out, whoever kept it", async () => {
  const token = await signIn(direct, "grace");
  const other = await signIn(direct, "grace");
  expect((await browser(direct, token).delete("/api/session")).status).toBe(204);
  expect([await who(direct, token), await who(direct, other)]).toEqual([401, 200]);
  expect((await browser(direct, token).post("/api/session/confirm", { password: passwordOf("grace") })).status).toBe(
    401,
  );
});

test("S16: a change of password, role or state ends the sessions of before", async () => {
  const owner = await ownerOf(home, "127.0.0.2");
  const next = passwordOf("grace, changed");
  const [mine, other] = [await signIn(direct, "grace"), await signIn(direct, "grace")];
  const changed = await browser(direct, mine).post("/api/session/password", { current: passwordOf("grace"), next });
  expect(changed.status).toBe(204);
  expect([await who(direct, mine), await who(direct, other)]).toEqual([200, 401]);
  const token = await signIn(direct, "grace", next);
  for (const change of [{ role: "viewer" }, { disabled: true }]) {
    expect((await owner.patch("/api/users/grace", change)).status).toBe(200);
    expect([await who(direct, token), await who(direct, mine)]).toEqual([401, 401]);
  }
  expect((await login(direct)).status).toBe(401);
  const back = await owner.patch("/api/users/grace", {
    role: "operator",
    disabled: false,
    password: passwordOf("grace"),
  });
  expect(back.status).toBe(200);
  expect([await who(direct, token), await who(direct, mine)]).toEqual([401, 401]);
});

test("S16: a session ends when nobody uses it, and in any case after its time; what it follows ends, too", async () => {
  const [idle, busy] = [await signIn(direct, "grace"), await signIn(direct, "grace")];
  const events = await browser(direct, busy).stream("/api/events");
  const begun = Date.now();
  let end = 0;
  while (!end && Date.now() - begun < 20_000) {
    await pause(500);
    if ((await who(direct, busy)) === 401) end = Date.now() - begun;
    if (Date.now() - begun > (IDLE + 1) * 1000 && !end) break;
  }
  expect([end, await who(direct, idle)]).toEqual([0, 401]);
  while (!end && Date.now() - begun < 20_000) {
    await pause(250);
    if ((await who(direct, busy)) === 401) end = Date.now() - begun;
  }
  expect(end).toBeGreaterThan((LIFETIME - 1) * 1000);
  expect(end).toBeLessThan((LIFETIME + 3) * 1000);
  await pause(1000);
  expect(events.ended()).toBe(true);
});

test("S17: below a path prefix everything works, and no page or redirect names another host", async () => {
  for (const path of ["/homelab/api/session", "/homelab/api/session/"])
    expect((await proxied.get(path)).status).toBe(401);
  const pages = ["/homelab/login", "/homelab/setup", "/homelab/api/docs", "/homelab/api/docs/"];
  for (const path of pages) {
    const { status, text } = await proxied.get(path);
    expect(status, path).toBe(200);
    const links = [...text.matchAll(/(?:href|src|action|data-to)="([^"]*)"/g)].map(([, link]) => link!);
    expect(
      links.filter((link) => /^([a-z]+:|\/)/i.test(link)),
      path,
    ).toEqual([]);
    for (const link of links.filter((own) => /\.(js|css|json)$/.test(own)))
      expect((await proxied.get(new URL(link, `http://x${path}`).pathname)).status, `${path} ${link}`).toBe(200);
  }
  expect((await proxied.get("/homelab")).headers.location).toBe("/homelab/login");
  expect((await proxied.get("/homelab/")).headers.location).toBe("/homelab/login");
  expect((await proxied.get("/homelabx/api/session")).status).toBe(404);
});
