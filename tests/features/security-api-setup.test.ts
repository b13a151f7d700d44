import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sleep, waitUntil } from "../../src/core/clock.ts";
import { Api, type ApiAnswer } from "../harness/api.ts";
import { askAsSuperuser } from "../harness/clients.ts";
import type { TestHome } from "../harness/home.ts";
import { browser, cookieOf, homeWithHub, ownerOf, passwordOf, signIn } from "../harness/people.ts";

let home: TestHome;
let open: Api;

beforeAll(async () => {
  home = await homeWithHub();
  open = Api.network(home);
});
afterAll(() => home.destroy());

const newLink = async () => {
  const answer = await Api.socket(home).post("/api/setup/link");
  expect(answer.status, answer.text).toBe(201);
  return answer.json<{ path: string }>().path.split("#")[1]!;
};
const setUp = (token: unknown, name = "ada", from?: string) =>
  Api.network(home, from).post("/api/setup", { token, user_name: name, password: passwordOf(name) });
const login = (user_name: string, password: string, from?: string) =>
  Api.network(home, from).post("/api/session", { user_name, password });

/** What an answer tells, without what differs from one request to the next. */
function told({ status, headers, text }: ApiAnswer): unknown {
  const { date: _date, "x-request-id": id, ...rest } = headers;
  return { status, headers: rest, text: text.replaceAll(String(id), "") };
}

test("S13: nobody is there at first: no name and no password lets anybody in, and nobody can register", async () => {
  const words = ["admin", "password", "homelab", "postgres", "root", "changeme", "admin123", "dashboard", "jarvis", ""];
  for (const [i, name] of words.entries())
    for (const [j, password] of words.entries())
      expect([401, 422]).toContain((await login(name, password, `127.1.${i}.${Math.floor(j / 3) + 1}`)).status);
  for (const key of words.filter(Boolean)) expect((await open.withKey(key).get("/api/session")).status, key).toBe(401);
  for (const role of ["admin", "viewer"])
    expect((await open.post("/api/users", { name: "me", role, password: passwordOf("me") })).status).toBe(401);
  expect((await open.post("/api/setup/link")).status).toBe(401);
  expect((await open.get("/api/setup")).json()).toEqual({ needed: true, sso: null });
});

test("S13: the first admin is made with the token of the newest link and with nothing else", async () => {
  const [first, token] = [await newLink(), await newLink()];
  expect(Buffer.from(token, "base64url").length * 8).toBeGreaterThanOrEqual(128);
  for (const wrong of ["", "x", first, `${token} `, token.slice(1), token.toLowerCase(), "undefined", "null"])
    expect((await setUp(wrong)).status, wrong).toBe(401);
  for (const wrong of [null, true, 0, {}, [token], { $ne: 1 }])
    expect((await setUp(wrong)).status, JSON.stringify(wrong)).toBe(422);
  // Without a token it is the machine's owner alone who makes one, and by the socket alone.
  const input = { user_name: "ada", password: passwordOf("ada") };
  const stranger = Api.network(home, "127.0.0.3");
  for (const api of [
    stranger,
    await ownerOf(home),
    stranger.with({ "x-homelab-caller": "root", "x-homelab-actor": "e30" }),
  ])
    expect((await api.post("/api/setup", input)).code).toBe("not_signed_in");
  expect((await open.get("/api/setup")).json()).toMatchObject({ needed: true });
});

test("S13: a link that has expired makes nobody an admin", async () => {
  const token = await newLink();
  await askAsSuperuser(
    home,
    `UPDATE accounts_state SET setup_expires_at = now() - interval '1 second', revision = revision + 1;
     SELECT pg_notify('homelab_accounts', (SELECT revision::text FROM accounts_state))`,
    "homelab_jarvis",
  );
  await sleep(1000);
  expect((await setUp(token, "late", "127.0.0.2")).code).toBe("not_signed_in");
});

test("S13: of twenty who use one link at once one becomes the admin, and the link is used up", async () => {
  const token = await newLink();
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => setUp(token, `ada-${i}`, `127.0.3.${i + 1}`)));
  const made = answers.filter(({ status }) => status === 201);
  expect(made).toHaveLength(1);
  expect(cookieOf(made[0]!)).toBeDefined();
  expect(made[0]!.json()).toMatchObject({ role: "admin" });
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 403]));
  const admins = (await (await ownerOf(home)).get("/api/users")).json<{ total: number }>();
  expect(admins.total).toBe(1);
  expect((await setUp(token, "again", "127.0.0.4")).code).toBe("not_allowed");
  expect((await Api.socket(home).post("/api/setup/link")).code).toBe("not_allowed");
  const log = () => readFileSync(join(home.paths.logs, "hub.log"), "utf8");
  await waitUntil(async () => log().includes("POST /api/setup 201"), { timeout: 5, what: "the log has the request" });
  expect(log()).not.toContain(token);
});

test("S15: an answer to a wrong login tells neither whether there is such a user nor what is wrong", async () => {
  const owner = await ownerOf(home);
  for (const name of ["known", "disabled", "keyless"])
    expect((await owner.post("/api/users", { name, password: passwordOf(name) })).status).toBe(201);
  await owner.patch("/api/users/disabled", { disabled: true });
  await askAsSuperuser(home, "UPDATE users SET password_hash = NULL WHERE name = 'keyless'", "homelab_jarvis");
  const tries: [string, string][] = [
    ["nobody", passwordOf("known")],
    ["known", "wrong"],
    ["KNOWN", "wrong"],
    ["disabled", passwordOf("disabled")],
    ["disabled", "wrong"],
    ["keyless", "null"],
    ["'; DROP TABLE users; --", "wrong"],
    ["known\u0000", passwordOf("known")],
    ["known ", passwordOf("known")],
  ];
  const answers = [];
  for (const [i, [name, password]] of tries.entries())
    answers.push(told(await login(name, password, `127.0.5.${i + 1}`)));
  for (const [i, answer] of answers.entries()) expect(answer, tries[i]!.join("/")).toEqual(answers[0]);
  expect(answers[0]).toMatchObject({ status: 401 });
});

test("S12: passwords of 8 to 256 characters are taken as they are, and those that everybody uses are not", async () => {
  const owner = await ownerOf(home);
  const make = (name: string, password: string) => owner.post("/api/users", { name, password });
  const common = ["password", "Password1", "12345678", "qwertyuiop", "iloveyou"];
  const refused = [...common, "short77", "aaaaaaaaaaaa", "somebody", "ydobemos", "xyz".repeat(86)];
  for (const password of refused) {
    const answer = await make("somebody", password);
    expect([answer.status, answer.code], password).toEqual([422, "input_invalid"]);
    if (password !== "password") expect(answer.text, "the password comes back").not.toContain(password);
  }
  const taken = [
    "sesame 8",
    "x7Q".repeat(85),
    " begins and ends with spaces ",
    "пароль на все времена",
    "🐘🐘🐘🐘🐘🐘🐘🦁",
    `quote " and \\ and ' too`,
  ];
  for (const [i, password] of taken.entries()) {
    expect((await make(`taken-${i}`, password)).status, password).toBe(201);
    const token = await signIn(Api.network(home, `127.0.6.${i + 1}`), `taken-${i}`, password);
    expect((await browser(open, token).get("/api/session")).json()).toMatchObject({ name: `user:taken-${i}` });
    expect((await login(`taken-${i}`, password.trim().slice(0, -1), `127.0.7.${i + 1}`)).status).toBe(401);
  }
});
