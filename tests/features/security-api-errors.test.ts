import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { Api, sendRaw, type ApiAnswer } from "../harness/api.ts";
import { askAsSuperuser } from "../harness/clients.ts";
import type { TestHome } from "../harness/home.ts";
import { everybody, homeWithHub, passwordOf, signIn } from "../harness/people.ts";
import { documentedRoutes, pathToNothing } from "../harness/routes.ts";

let home: TestHome;
let people: Record<string, Api>;

beforeAll(async () => {
  home = await homeWithHub();
  people = await everybody(home);
  expect((await people["key admin"]!.post("/api/databases", { database_name: "shop" })).status).toBe(201);
});
afterAll(() => home.destroy());

const log = () => readFileSync(join(home.paths.logs, "hub.log"), "utf8");
const lines = () => log().trim().split("\n");

/** What no error may tell: stacks, paths, SQL, what the system or a parser said. */
const INSIDE =
  /\bat [\w.<>]+ \(|node:|\.[tj]s\b|"stack"|\/tmp\/|\/usr\/|\/etc\/|\b(SELECT|INSERT|UPDATE|FROM|relation|column|syntax error|duplicate key)\b|\bE[A-Z]{4,}\b|JSON at position|Unexpected token|canary/;

/** An error without anything of the inside, whose cause is in the log under its request's id. */
async function expectClosed(answer: ApiAnswer, what: string): Promise<void> {
  expect(answer.status, what).toBe(500);
  expect(answer.json(), what).toMatchObject({ code: "failed", detail: expect.stringContaining("inside") as string });
  expect(answer.text, what).not.toMatch(INSIDE);
  const id = answer.json<{ request_id: string }>().request_id;
  const isLogged = async () => lines().some((line) => line.includes(id) && line.includes('"stack"'));
  await waitUntil(isLogged, { timeout: 5, what: `the log tells why: ${what}` });
}

test("S33: what breaks inside is told to the log and to nobody else", async () => {
  const admin = people["key admin"]!;
  const task = { title: "x", task_type: "verification" };
  await askAsSuperuser(
    home,
    `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'canary in /etc/passwd: SELECT 1'; END $$;
     CREATE TRIGGER refuse BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION refuse()`,
    "homelab_jarvis",
  );
  await expectClosed(await admin.post("/api/tasks", task), "a trigger");
  await askAsSuperuser(home, "ALTER TABLE tasks RENAME TO canary_tasks", "homelab_jarvis");
  await expectClosed(await admin.post("/api/tasks", task), "a table that is not there");
  await expectClosed(
    await admin.patch("/api/tasks/00000000-0000-4000-8000-000000000000", { status: "completed" }),
    "the same",
  );
  await askAsSuperuser(
    home,
    "ALTER TABLE canary_tasks RENAME TO tasks; DROP FUNCTION refuse CASCADE",
    "homelab_jarvis",
  );
  renameSync(join(home.paths.logs, "haproxy.log"), join(home.paths.logs, "haproxy.away"));
  mkdirSync(join(home.paths.logs, "haproxy.log"));
  await expectClosed(await admin.get("/api/logs/haproxy"), "a log that is a folder");
  const credentials = join(home.paths.credentials, "shop.json");
  const text = readFileSync(credentials, "utf8");
  writeFileSync(credentials, text.replace(/"password": "/, '"password": canary'));
  await expectClosed(await admin.get("/api/databases/shop/url"), "broken credentials");
  const password = /"password": "([^"]+)"/.exec(text)![1]!;
  expect(log()).not.toContain(password.slice(0, 6));
  writeFileSync(credentials, text);
  expect((await admin.get("/api/databases/shop/url")).status).toBe(200);
});

test("S33: no error of any route tells more, while PostgreSQL does not answer either", async () => {
  const admin = people["key admin"]!;
  const postmaster = Number(readFileSync(join(home.paths.postgresData, "postmaster.pid"), "utf8").split("\n")[0]);
  const routes = (await documentedRoutes(home)).filter(
    ({ method, isStream, path }) => !isStream && !(method === "DELETE" && path === "/api/session"),
  );
  const wrong: unknown[] = [];
  const lookAt = async () => {
    const ask = async ({ method, path }: { method: string; path: string }) => {
      const answer = await admin.ask(method, path.includes("{") ? pathToNothing({ path }) : path, {
        body: method === "POST" ? {} : undefined,
      });
      if (answer.status >= 400 && INSIDE.test(answer.text)) wrong.push([method, path, answer.status, answer.text]);
      return answer.status;
    };
    return Promise.all(routes.filter(({ path }) => !/converge|restart/.test(path)).map(ask));
  };
  await lookAt();
  process.kill(postmaster, "SIGSTOP");
  try {
    const statuses = await lookAt();
    expect(statuses.filter((status) => status === 500)).toEqual([]);
    expect((await people["none"]!.post("/api/session", { user_name: "ada", password: "wrong" })).status).toBe(401);
  } finally {
    process.kill(postmaster, "SIGCONT");
  }
  expect(wrong).toEqual([]);
});

test("S32: whatever is in names, headers and agents, each event stays one line of JSON without control characters", async () => {
  const open = people["none"]!;
  const hostile =
    'x\r\n{"time":"2020-01-01","level":"info","message":"forged"}\u001b[2J\u001b]0;owned\u0007\u2028\u202e\u0000y';
  // What a header can hold: no control character of the first half, all of the second one.
  const latin = `\u009b2J\u009d0;owned ${Buffer.from("\u2028\u202e").toString("latin1")} {"forged":true}`;
  const marks = ["in-the-path", "in-the-agent", "in-the-caller", "in-the-key", "in-the-name"];
  await open.get(`/${marks[0]}${encodeURIComponent(hostile)}?token=${encodeURIComponent(hostile)}`);
  await signIn(
    open.with({ "user-agent": `${marks[1]}${latin}`, referer: latin, "x-request-id": `forged${latin}` }),
    "viewer",
    passwordOf("viewer"),
  );
  await Api.socket(home).get("/api/session", { "x-homelab-caller": `${marks[2]}${latin}` });
  await open.withKey(`${marks[3]}${latin}`).get("/api/session");
  await open.post("/api/session", { user_name: `${marks[4]}${hostile}`, password: hostile });
  await people["key admin"]!.post("/api/databases", { database_name: hostile });
  await people["key admin"]!.post("/api/tasks", { title: hostile.replace("\0", ""), task_type: "verification" });
  for (const header of [
    "User-Agent: a\u001b[2J",
    "User-Agent: a\r\n b",
    "User-Agent: a\0b",
    "X\u001b: a",
    "User-Agent: a\rX: b",
  ])
    expect(await sendRaw(home, `GET /nothing HTTP/1.1\r\nHost: localhost\r\n${header}\r\n\r\n`), header).toMatch(
      /^HTTP\/1\.1 400 /,
    );
  await waitUntil(async () => log().includes("POST /api/tasks"), { timeout: 5, what: "the log is written" });
  for (const line of lines()) {
    const parsed = JSON.parse(line) as { service: string; message: string };
    expect([parsed.service, parsed.message === "forged"]).toEqual(["hub", false]);
  }
  // oxlint-disable-next-line no-control-regex
  expect(log()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  expect(log()).not.toContain("token=");
  expect(log()).not.toMatch(/"request_id":"forged/);
  const shown = (await home.ok("logs", "hub", "--tail", "1000")).stdout;
  // oxlint-disable-next-line no-control-regex
  expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  expect(shown.split("\n").filter((line) => line.startsWith('{"time":"2020'))).toEqual([]);
});
