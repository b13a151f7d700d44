import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { signalProcess } from "../../src/host/processes.ts";
import { checkout, TestHome, type CliResult } from "../harness/home.ts";

let home: TestHome;

beforeAll(async () => {
  home = await TestHome.up();
  await home.createDatabase("shop");
});
afterAll(() => home.destroy());

interface Run {
  id: string;
  operation: string;
  state: string;
  caller: string;
}

const newest = async (): Promise<Run> =>
  (await home.ok("op", "list", "--limit", "1", "--json")).json<{ items: Run[] }>().items[0]!;

const ended = (id: string, state = "completed"): Promise<true> =>
  waitUntil(async () => (await home.run(["op", "show", id, "--json"])).json<Run>().state === state && (true as const), {
    timeout: 60,
    every: 200,
    what: `${id} is ${state}`,
  });

/** Begins a command, presses Ctrl-C once it has printed what tells that it is under way, and answers how it ended. */
function interrupt(args: string[], once: RegExp): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(join(checkout, "homelab"), ["--home", home.root, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    const before = once.test(stderr);
    stderr += chunk.toString();
    if (!before && once.test(stderr)) child.kill("SIGINT");
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, stderr })));
}

const idIn = (text: string): string => /op_[0-9A-Z]{26}/.exec(text)![0];

describe("an operation", () => {
  test("is begun by the hub, in the name of who asked", async () => {
    expect(await newest()).toMatchObject({
      operation: "database.provision",
      caller: expect.stringMatching(/^cli:/) as string,
    });
  });

  test("goes on when its command is left with Ctrl-C, which says how to follow it", async () => {
    const left = await interrupt(["restart", "postgres"], /pools paused/);
    expect([left.code, left.stderr]).toEqual([130, expect.stringContaining("homelab op watch op_")]);
    const id = idIn(left.stderr);
    const watched = await Promise.all([home.run(["op", "watch", id]), home.run(["op", "watch", id])]);
    expect(watched.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    const steps = watched.map(({ stderr }) => stderr.replace(/ *[\d.]+ s /g, " "));
    expect(steps[0]).toBe(steps[1]);
    expect(steps[0]).toContain("service.restart completed");
    await ended(id);
  });

  test("that this process does is handed over with Ctrl-C, and the hub finishes it", async () => {
    const left = await interrupt(["--local", "restart", "postgres"], /pools paused/);
    expect([left.code, left.stderr]).toEqual([130, expect.stringContaining("homelab op watch op_")]);
    await ended(idIn(left.stderr));
  });

  test("is only begun with --no-wait, and left running when --timeout has passed", async () => {
    const begun = await home.run(["db", "create", "unwatched", "--no-wait"]);
    expect([begun.exitCode, begun.stdout]).toEqual([8, expect.stringMatching(/^op_[0-9A-Z]{26}\n$/)]);
    await ended(begun.stdout.trim());
    const late = await home.run(["restart", "postgres", "--timeout", "0.3"]);
    expect(late.exitCode).toBe(3);
    expect(late.stderr).toContain("not done within 0.3 s");
    await ended(idIn(late.stderr));
  });

  test("that restarts the hub itself is followed to its end", async () => {
    const before = await home.pid("hub");
    const restarted = await home.ok("restart", "hub", "--json");
    expect(restarted.json<Run>()).toMatchObject({ operation: "service.restart", state: "completed" });
    expect(await home.pid("hub")).not.toBe(before);
  });

  test("is refused with the same words and the same exit code as before there was a hub", async () => {
    const gone = await home.run(["db", "delete", "nowhere", "--yes"]);
    expect([gone.exitCode, gone.stderr]).toEqual([7, expect.stringContaining("there is no database nowhere")]);
    const bad = await home.run(["db", "create", "Bad Name", "--json"]);
    expect(bad.exitCode).toBe(2);
    expect(JSON.parse(bad.stderr)).toMatchObject({ code: "name_refused", status: 422 });
  });

  test("of another command is waited for, and not refused at once", async () => {
    const both = await Promise.all([home.run(["restart", "postgres"]), home.run(["restart", "pgbouncer"])]);
    expect(both.map(({ exitCode, stderr }) => [exitCode, exitCode === 0 ? "" : stderr])).toEqual([
      [0, ""],
      [0, ""],
    ]);
  });
});

describe("while the hub is away", () => {
  test("and the agent starts it again, a command waits for it and says nothing", async () => {
    await signalProcess(home.paths.run, "hub", "SIGKILL");
    const list = await home.run(["db", "list"]);
    expect([list.exitCode, list.stderr]).toEqual([0, ""]);
    expect(list.stdout).toContain("shop");
  });

  test("and nobody starts it, every command still works in its own process, and says so once", async () => {
    const other = await TestHome.up();
    try {
      await signalProcess(other.paths.run, "keeper", "SIGKILL");
      for (const name of ["agent", "hub"]) process.kill((await other.pid(name))!, "SIGKILL");
      await waitUntil(async () => (await other.pid("hub")) === undefined, { timeout: 5, what: "the hub is gone" });
      const created = await other.run(["db", "create", "alone"]);
      expect(created.exitCode, created.stderr).toBe(0);
      expect(created.stderr.match(/the hub does not answer: working without it/g)).toHaveLength(1);
      const status = await other.run(["status"]);
      expect(status.exitCode).toBe(5);
      expect(status.stdout).toMatch(/! hub\s/);
      expect((await other.run(["logs", "agent", "--tail", "1"])).exitCode).toBe(0);
      expect((await other.run(["op", "watch", idIn((await other.run(["op", "list"])).stdout)])).exitCode).toBe(0);
      const keys = await other.run(["key", "list"]);
      expect([keys.exitCode, keys.stdout]).toEqual([6, ""]);
      const local = await other.run(["--local", "db", "list"]);
      expect([local.exitCode, local.stderr]).toEqual([0, ""]);
    } finally {
      await other.destroy();
    }
  });
});

describe("from another machine", () => {
  let keys: Record<"reader" | "maker" | "admin", string>;
  /** Runs a command as somewhere else, where there is no home. */
  const elsewhere = (key: string, ...args: string[]): Promise<CliResult> =>
    home.run(["--home", join(home.root, "nowhere"), ...args], {
      env: { HOMELAB_URL: `http://127.0.0.1:${home.port(5000)}`, HOMELAB_API_KEY: key },
    });

  beforeAll(async () => {
    const make = async (...args: string[]) => (await home.ok("key", "create", ...args)).stdout.trim();
    keys = {
      reader: await make("reader"),
      maker: await make("maker", "--scope", "provision,operate", "--expires", "90d"),
      admin: await make("boss", "--scope", "admin"),
    };
  });

  test("a key of its own does what its scopes allow, and not more", async () => {
    for (const args of [["status"], ["health"], ["db", "list"], ["op", "list"]])
      expect((await elsewhere(keys.reader, ...args)).exitCode, args.join(" ")).toBe(0);
    expect((await elsewhere(keys.reader, "db", "create", "far")).exitCode).toBe(4);
    const made = await elsewhere(keys.maker, "db", "create", "far");
    expect([made.exitCode, made.stdout]).toEqual([0, expect.stringContaining("DATABASE_URL=postgresql://far_app:")]);
    expect(await newest()).toMatchObject({ operation: "database.provision", caller: "key:maker" });
    expect((await elsewhere(keys.maker, "audit")).exitCode).toBe(4);
    const audit = await elsewhere(keys.admin, "audit", "--actor", "key:maker");
    expect(audit.stdout).toContain("database.provision\tfar");
  });

  test("what is the machine's own says that it is done there", async () => {
    for (const args of [["up"], ["down"], ["config", "show"], ["db-shell", "shop"]]) {
      const refused = await elsewhere(keys.admin, ...args);
      expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining("works on the node itself")]);
    }
  });

  test("a key that was revoked, or never made, opens nothing, and is not printed", async () => {
    const prefix = (await home.ok("key", "list")).stdout
      .split("\n")
      .find((line) => line.includes("\treader\t"))!
      .split("\t")[0]!;
    await home.ok("key", "revoke", prefix);
    await waitUntil(async () => (await elsewhere(keys.reader, "db", "list")).exitCode === 4, {
      timeout: 5,
      what: "the key is revoked",
    });
    const refused = await elsewhere(`${keys.maker}x`, "db", "list", "--debug");
    expect(refused.exitCode).toBe(4);
    expect(refused.stderr).toContain("does not know this key");
    expect(refused.stderr).not.toContain(keys.maker);
  });

  test("an address where nobody answers, or something else does, is told with what to do", async () => {
    const at = (url: string) => home.run(["db", "list"], { env: { HOMELAB_URL: url, HOMELAB_API_KEY: keys.maker } });
    const away = await at("http://127.0.0.1:1");
    expect([away.exitCode, away.stderr]).toEqual([6, expect.stringContaining("nothing answers at")]);
    const inner = await at(`https://127.0.0.1:${home.port(5443)}`);
    expect([inner.exitCode, inner.stderr]).toEqual([1, expect.stringContaining("NODE_EXTRA_CA_CERTS")]);
    const plain = await at(`https://127.0.0.1:${home.port(5000)}`);
    expect([plain.exitCode, plain.stderr]).toEqual([1, expect.stringContaining("does not speak TLS")]);
  });
});

describe("users", () => {
  test("are added with a password from a file or a pipe, changed, and removed", async () => {
    const file = join(home.root, "..", "password");
    await writeFile(file, "correct horse battery\n", { mode: 0o644 });
    await home.ok("user", "add", "ada", "--role", "admin", "--password-file", file);
    const piped = await home.run(["user", "add", "bob"], { input: "another long one\n" });
    expect(piped.exitCode, piped.stderr).toBe(0);
    await home.ok("user", "set-role", "bob", "operator");
    await home.ok("user", "disable", "bob");
    const { stdout } = await home.ok("user", "list");
    expect(stdout).toMatch(/^ada\tadmin\tactive\tpassword\tnever$/m);
    expect(stdout).toMatch(/^bob\toperator\tdisabled\tpassword\tnever$/m);
    expect((await home.run(["user", "remove", "ada", "--yes"])).exitCode, "the last admin").toBe(4);
    expect((await home.run(["user", "remove", "bob"])).exitCode, "without a confirmation").toBe(2);
    expect((await home.ok("user", "remove", "bob", "--dry-run")).stderr).toContain("nothing was changed");
    await home.ok("user", "remove", "bob", "--confirm", "bob");
    expect((await home.run(["user", "set-role", "bob", "admin"])).exitCode).toBe(7);
    expect((await home.run(["user", "add", "carl"], { input: "" })).exitCode).toBe(2);
    expect((await home.ok("audit", "--limit", "200")).stdout).not.toContain("correct horse");
  });
});

describe("homelab api", () => {
  test("prints the body as it is, takes one from standard input, and ends as any command does", async () => {
    const listed = await home.ok("api", "GET", "/api/databases?limit=1");
    expect(listed.json<{ items: object[] }>().items).toHaveLength(1);
    const task = { title: "look at it", task_type: "verification" };
    const made = await home.run(["api", "post", "/api/tasks", "-"], { input: JSON.stringify(task) });
    expect(made.json()).toMatchObject(task);
    expect((await home.run(["api", "GET", "/api/nothing"])).exitCode).toBe(7);
    expect((await home.run(["api", "POST", "/api/tasks", "{"])).exitCode).toBe(2);
    expect((await home.ok("api", "GET", "/metrics")).stdout).toContain("homelab_http_requests_total");
  });

  test("hands a stream through while it comes", async () => {
    const child = spawn(join(checkout, "homelab"), ["--home", home.root, "api", "GET", "/api/events"]);
    let seen = "";
    child.stdout.on("data", (chunk: Buffer) => (seen += chunk.toString()));
    try {
      await waitUntil(async () => seen.includes("retry:"), { timeout: 10, what: "it has begun" });
      await home.ok("db", "rotate", "shop");
      await waitUntil(async () => seen.includes("database.rotate-password"), { timeout: 10, what: "it tells" });
    } finally {
      child.kill();
    }
  });
});

test("logs -f begins with the end of the log, goes on with what comes, and over a restart of the hub", async () => {
  const child = spawn(join(checkout, "homelab"), ["--home", home.root, "logs", "hub", "-f", "--tail", "3"]);
  let seen = "";
  child.stdout.on("data", (chunk: Buffer) => (seen += chunk.toString()));
  try {
    await waitUntil(async () => seen.split("\n").length > 3, { timeout: 10, what: "the end of the log is shown" });
    await home.ok("restart", "hub");
    const pid = await home.pid("hub");
    await waitUntil(async () => seen.includes(`begins (pid ${pid}`), { timeout: 10, what: "the new hub's lines come" });
    const lines = seen.trim().split("\n");
    expect(new Set(lines).size, "no line twice").toBe(lines.length);
  } finally {
    child.kill();
  }
});
