import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../src/host/run.ts";
import { Api } from "../harness/api.ts";
import { askAsSuperuser } from "../harness/clients.ts";
import type { TestHome } from "../harness/home.ts";
import { browser, homeWithHub, makeKey, ownerOf, passwordOf } from "../harness/people.ts";
import { holding } from "../harness/sweep.ts";

let home: TestHome;
let owner: Api;
let open: Api;

beforeAll(async () => {
  home = await homeWithHub();
  owner = await ownerOf(home);
  open = Api.network(home);
});
afterAll(() => home.destroy());

test("S09: what pg_dump has of the platform's database opens nothing", async () => {
  const key = await makeKey(owner, "in the dump", ["admin"]);
  const user = { name: "grace", role: "admin", password: passwordOf("grace") };
  expect((await owner.post("/api/users", user)).status).toBe(201);
  const session = (await open.post("/api/session", { user_name: "grace", password: user.password })).headers[
    "set-cookie"
  ]!;
  const token = /=([^;]+)/.exec(session[0]!)![1]!;
  const database = (
    await owner.post("/api/databases", { database_name: "dumped" }, { "idempotency-key": "dumped" })
  ).json<{
    password: string;
  }>();
  const env = { PGPASSWORD: await home.secret("superuser"), PATH: process.env["PATH"]! };
  const to = ["-h", home.paths.run, "-p", String(home.port(5431)), "-U", "postgres", "homelab_jarvis"];
  const { stdout: dump } = await run({ argv: ["pg_dump", ...to], env });
  expect(dump).toContain("COPY public.api_keys");
  const secrets = { key, part: key.slice(12), token, password: user.password, app: database.password };
  expect(
    holding(dump, {
      ...secrets,
      dashboard: await home.secret("dashboard_api_key"),
      seal: await home.secret("hub_seal"),
    }),
  ).toEqual([]);
  const hashes = new Set(dump.match(/\b[0-9a-f]{64}\b/g));
  expect(hashes.size).toBeGreaterThan(2);
  let address = 0;
  for (const hash of [...hashes].slice(0, 40)) {
    const stranger = Api.network(home, `127.0.7.${(address++ % 200) + 1}`);
    expect((await stranger.withKey(hash).get("/api/session")).status).toBe(401);
    expect((await browser(stranger, hash).get("/api/session")).status).toBe(401);
  }
  const [stored] = await askAsSuperuser<{ password_hash: string }>(
    home,
    "SELECT password_hash FROM users WHERE name = 'grace'",
    "homelab_jarvis",
  );
  expect(stored!.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
});

test("S10: keys of any length are compared without an error, and a right prefix takes no longer than a wrong one", async () => {
  const key = await makeKey(owner, "measured", ["read"]);
  const prefix = key.slice(0, 12);
  const other = `hl_AAAAAAAA_`;
  const secret = "B".repeat(32);
  const times: Record<string, number[]> = { right: [], wrong: [] };
  for (let i = 0; i < 200; i++) {
    const stranger = Api.network(home, `127.0.${20 + Math.floor(i / 10)}.9`);
    for (const [name, text] of [
      ["right", prefix + secret],
      ["wrong", other + secret],
    ] as const) {
      const begun = performance.now();
      const answer = await stranger.withKey(text).get("/api/session");
      times[name]!.push(performance.now() - begun);
      expect(answer.status).toBe(401);
    }
  }
  const [right, wrong] = [median(times["right"]!), median(times["wrong"]!)];
  expect(Math.abs(right - wrong), `${right} ms against ${wrong} ms`).toBeLessThan(Math.max(1, wrong * 0.5));
  for (const text of ["x", "hl_", "ÿ", "é".repeat(100), "A".repeat(8000), `${prefix}${"C".repeat(1000)}`])
    expect(
      (await Api.network(home, "127.0.60.1").withKey(Buffer.from(text).toString("latin1")).get("/api/session")).status,
      text.slice(0, 20),
    ).toBe(401);
});

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
