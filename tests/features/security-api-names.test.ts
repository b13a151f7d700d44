import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sendRaw, type Api } from "../harness/api.ts";
import { askAsSuperuser } from "../harness/clients.ts";
import type { TestHome } from "../harness/home.ts";
import { hostileNames } from "../harness/hostile-names.ts";
import { homeWithHub, ownerOf } from "../harness/people.ts";
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
  const logs = [
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
  for (const name of logs)
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
