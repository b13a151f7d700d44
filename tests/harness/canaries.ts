import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { Api, type ApiAnswer } from "./api.ts";
import type { TestHome } from "./home.ts";
import { browser, cookieOf, ownerOf, passwordOf, signIn } from "./people.ts";

/** Secrets that a hub makes, takes and hands out, and what it said when nobody was to see one. */
export class Canaries {
  /** Every secret that there was at any time, by what it is. */
  readonly secrets: Record<string, string> = {};
  /** Answers in which none may be. */
  readonly said: string[] = [];
  /** What was followed meanwhile. */
  streams: { text(): string }[] = [];
  readonly #home: TestHome;

  constructor(home: TestHome) {
    this.#home = home;
  }

  /** Keeps an answer in which no secret may be. */
  keep(answer: ApiAnswer): void {
    this.said.push(`${JSON.stringify(answer.headers)} ${answer.text}`);
  }

  /** Passwords of engines change: they are noted after each step. */
  noteFiles(): void {
    const { secrets, credentials } = this.#home.paths;
    const known = JSON.parse(readFileSync(secrets, "utf8")) as Record<string, string>;
    for (const [name, secret] of Object.entries(known)) this.secrets[`secrets.json ${name}`] = secret;
    for (const file of readdirSync(credentials)) {
      const found = readFileSync(join(credentials, file), "utf8").matchAll(/"password": "([^"]+)"/g);
      for (const [, password] of found) this.secrets[`${file} ${password!.slice(0, 4)}`] = password!;
    }
  }

  /** Makes, hands out, takes and refuses secrets of every kind. */
  async use(): Promise<void> {
    this.noteFiles();
    const owner = await ownerOf(this.#home);
    const follow = ["/api/events", "/api/logs/hub/events", "/api/logs/postgres/events"];
    this.streams = await Promise.all(follow.map((path) => owner.stream(path)));
    await this.#usePeople();
    const made = await owner.post(
      "/api/keys",
      { name: "canary", scopes: ["provision"] },
      { "idempotency-key": "make-a-key" },
    );
    expect(made.status, made.text).toBe(201);
    const { key } = made.json<{ key: string }>();
    this.secrets["key"] = key.slice(12);
    await this.#guess(key);
    await this.#useDatabases(Api.network(this.#home).withKey(key));
  }

  async #usePeople(): Promise<void> {
    const open = Api.network(this.#home);
    const { secrets } = this;
    const link = await Api.socket(this.#home).post("/api/setup/link");
    secrets["setup link"] = link.json<{ path: string }>().path.split("#")[1]!;
    const input = { token: secrets["setup link"], user_name: "ada", password: passwordOf("ada") };
    secrets["admin's session"] = cookieOf(await open.post("/api/setup", input))!;
    const admin = browser(open, secrets["admin's session"]);
    for (const name of ["ada", "grace", "linus", "grace again"]) secrets[`${name}'s password`] = passwordOf(name);
    for (const name of ["grace", "linus"]) {
      this.keep(await admin.post("/api/users", { name, role: "operator", password: passwordOf(name) }));
      secrets[`${name}'s session`] = await signIn(open, name);
    }
    const passwords = { current: passwordOf("grace"), next: passwordOf("grace again") };
    this.keep(await browser(open, secrets["grace's session"]!).post("/api/session/password", passwords));
    this.keep(await browser(open, secrets["linus's session"]!).delete("/api/session"));
    secrets["linus's next session"] = await signIn(open, "linus");
    this.keep(await admin.post("/api/users", { name: "Bad", password: passwordOf("linus") }));
  }

  /** What is nearly right, or right in the wrong place, is worth as much to whoever finds it. */
  async #guess(key: string): Promise<void> {
    const open = Api.network(this.#home);
    this.keep(await open.post("/api/session", { user_name: "linus", password: `${passwordOf("linus")}x` }));
    this.keep(await open.post("/api/session", { user_name: passwordOf("linus"), password: "linus" }));
    this.keep(await open.withKey(`${key}x`).get("/api/databases"));
    this.keep(await open.get(`/api/databases?api_key=${key}`));
    this.keep(await open.post("/api/setup", { token: key, user_name: "x", password: passwordOf("linus") }));
    this.keep(await open.withKey(key).post("/api/databases", { database_name: key, owner: key }));
    this.keep(await open.withKey(key).post("/api/tasks", { title: "x", task_type: key }));
  }

  async #useDatabases(client: Api): Promise<void> {
    for (const name of ["shop", "blog"]) {
      const ask = () => client.post("/api/databases", { database_name: name }, { "idempotency-key": `make-${name}` });
      const first = await ask();
      expect((await ask()).text).toBe(first.text);
    }
    await client.post("/api/databases/provision-for-service", { service_name: "wiki" });
    this.keep(await client.post("/api/databases/provision-for-service", { service_name: "wiki" }));
    this.keep(await client.post("/api/databases", { database_name: "shop" }));
    for (const path of ["shop/rotate?wait=60", "shop/finish-rotation?wait=60", "blog/rotate?wait=60"]) {
      this.noteFiles();
      this.keep(await client.post(`/api/databases/${path}`, {}));
    }
    this.noteFiles();
    await client.get("/api/databases/shop/url");
    this.keep(await client.delete("/api/databases/blog?wait=60"));
  }
}
