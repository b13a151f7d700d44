import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runAny } from "../../src/host/run.ts";
import { checkout, TestHome } from "../harness/home.ts";
import { join } from "node:path";

let home: TestHome;

beforeAll(async () => {
  home = await TestHome.up();
  await home.createDatabase("shop");
});
afterAll(() => home.destroy());

const ESCAPE = "\u001b[";

/** Runs a command on a terminal of its own (script(1)), and answers what was drawn there. */
async function onTerminal(args: string[], env: Record<string, string> = {}): Promise<string> {
  const command = [join(checkout, "homelab"), "--home", home.root, ...args].join(" ");
  const { stdout } = await runAny({
    argv: ["script", "-qec", command, "/dev/null"],
    env: { PATH: process.env["PATH"]!, TERM: "xterm-256color", ...env },
    timeout: 60,
  });
  return stdout;
}

describe("exit codes", () => {
  test("0 for what went well, 2 for what was not understood, 4 for what is not allowed, 7 for what is not there", async () => {
    await home.ok("db", "create", "vault", "--protect");
    const codes = async (...args: string[]) => (await home.run(args)).exitCode;
    expect(await codes("db", "list")).toBe(0);
    expect(await codes("db", "lits")).toBe(2);
    expect(await codes("db", "list", "--no-such-flag")).toBe(2);
    expect(await codes("db", "delete", "vault", "--confirm", "vault")).toBe(4);
    expect(await codes("db", "show", "shpo")).toBe(7);
    expect(await codes("--home", join(home.root, "nowhere"), "status")).toBe(7);
  });

  test("an error is one sentence with what to do, and as JSON the same with its code", async () => {
    const text = await home.run(["db", "show", "shopp"]);
    expect(text.stdout).toBe("");
    expect(text.stderr).toBe("error: there is no database shopp\n       Did you mean shop?\n");
    const json = await home.run(["db", "show", "shopp", "--json"]);
    expect(JSON.parse(json.stderr)).toMatchObject({ code: "not_found", status: 404, hint: "Did you mean shop?" });
  });

  test("deleting in a pipe without a confirmation ends with 2 and deletes nothing", async () => {
    const refused = await home.run(["db", "delete", "shop"], { input: "shop\n" });
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain("--confirm=shop");
    expect((await home.run(["db", "delete", "shop", "--confirm", "shpo"])).exitCode).toBe(2);
    expect((await home.run(["db", "show", "shop"])).exitCode).toBe(0);
  });
});

describe("output", () => {
  test("a pipe gets no colour and no cursor movement from any report", async () => {
    const reports = [["status"], ["health", "--verbose"], ["db", "list"], ["op", "list"], ["config", "show"], ["up"]];
    for (const args of reports) {
      const { stdout, stderr } = await home.run(args, { env: { TERM: "xterm-256color", FORCE_COLOR: "" } });
      expect(stdout + stderr, args.join(" ")).not.toContain(ESCAPE);
    }
  });

  test("a terminal gets colour, unless NO_COLOR or --no-color says otherwise", async () => {
    expect(await onTerminal(["status"])).toContain(ESCAPE);
    expect(await onTerminal(["status"], { NO_COLOR: "1" })).not.toContain(ESCAPE);
    expect(await onTerminal(["status", "--no-color"])).not.toContain(ESCAPE);
  });

  test("every report has the API's body with --json", async () => {
    const list = (await home.ok("db", "list", "--json")).json<{ items: { name: string }[]; total: number }>();
    expect(list.items.map((item) => item.name)).toContain("shop");
    expect(list.total).toBe(list.items.length);
    const status = (await home.ok("status", "--json")).json<{ state: string; services: { name: string }[] }>();
    expect(status.state).toBe("ok");
    expect(status.services.map((service) => service.name)).toEqual(
      expect.arrayContaining(["agent", "hub", "etcd", "patroni", "postgres", "haproxy", "pgbouncer", "pgbouncer-ro"]),
    );
    const health = (await home.ok("health", "--output-format", "json")).json<{ checks: { state: string }[] }>();
    expect(health.checks.every((check) => check.state === "ok")).toBe(true);
    expect((await home.ok("db", "list", "--deleted", "--json")).json()).toMatchObject({ items: [], total: 0 });
  });

  test("a database's URL comes in every form, and only there does its password show", async () => {
    const [pooled, direct, jdbc, env] = await Promise.all(
      [["--pooled"], ["--direct"], ["--jdbc"], ["--env"]].map(
        async (flag) => (await home.ok("db", "url", "shop", ...flag)).stdout,
      ),
    );
    const { password } = new URL(pooled!);
    expect(password).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(direct).toContain("sslmode=verify-full");
    expect(jdbc).toContain("prepareThreshold=0");
    expect(env).toMatch(/^DATABASE_URL=.*\nDIRECT_URL=.*\n$/);
    for (const args of [
      ["db", "show", "shop"],
      ["db", "list"],
      ["op", "list", "--json"],
      ["config", "show"],
    ])
      expect((await home.ok(...args)).stdout, args.join(" ")).not.toContain(password);
  });
});

describe("config", () => {
  test("show names the origin of every value, and holds no secret", async () => {
    const { stdout } = await home.run(["config", "show", "--json"], { env: { HOMELAB_LOGS__KEEP: "9" } });
    const { values } = JSON.parse(stdout) as { values: { setting: string; value: unknown; origin: string }[] };
    const origin = (setting: string) => values.find((row) => row.setting === setting)?.origin;
    expect(values.every((row) => row.origin)).toBe(true);
    expect(origin("network.port_offset")).toBe("homelab.yaml");
    expect(origin("database.default_pool_size")).toBe("default");
    expect(origin("logs.keep")).toBe("environment");
    expect(origin("postgresql.shared_buffers")).toBe("homelab, for this machine");
    for (const name of ["superuser", "replication", "pooler_auth", "monitor"])
      expect(stdout).not.toContain(await home.secret(name));
  });

  test("schema is a JSON schema with a description for every setting", async () => {
    const schema = (await home.ok("config", "schema")).json<Record<string, unknown>>();
    expect(schema["$schema"]).toMatch(/^https?:\/\/json-schema\.org\//);
    expect(schema["type"]).toBe("object");
    expect(schema["properties"]).toHaveProperty("network.properties.ports.properties.pooled.description");
    expect(schema["additionalProperties"]).toBe(false);
  });
});

describe("logs", () => {
  test("every service has one, and it can be read", async () => {
    await home.run(["restart", "pgbouncer-ro"]);
    for (const service of [
      "agent",
      "hub",
      "etcd",
      "patroni",
      "postgres",
      "haproxy",
      "pgbouncer",
      "pgbouncer-ro",
      "pgbackrest",
      "archiving",
    ]) {
      const { exitCode, stderr } = await home.run(["logs", service, "--tail", "5"]);
      expect(exitCode, `${service}: ${stderr}`).toBe(0);
    }
    for (const service of ["agent", "hub", "patroni", "postgres"])
      expect((await home.ok("logs", service)).stdout.length, service).toBeGreaterThan(0);
    expect((await home.ok("logs", "agent", "--since", "1h")).stdout).toContain("pgbouncer-ro");
    const log = (await home.ok("logs", "agent", "--json", "--tail", "1")).json<{ service: string; lines: object[] }>();
    expect(log).toMatchObject({ service: "agent", lines: [{ time: expect.stringContaining("T") as string }] });
  });

  test("a service that is not there is refused with the nearest one", async () => {
    const refused = await home.run(["logs", "pgbuncer"]);
    expect(refused.exitCode).toBe(7);
    expect(refused.stderr).toContain("Did you mean pgbouncer?");
  });
});

describe("op", () => {
  test("list, show and retry tell and repeat what was done", async () => {
    const { items } = (await home.ok("op", "list", "--json")).json<{ items: { id: string; operation: string }[] }>();
    const provision = items.find((item) => item.operation === "database.provision")!;
    const shown = (await home.ok("op", "show", provision.id, "--json")).json<{ state: string; steps: unknown[] }>();
    expect(shown.state).toBe("completed");
    expect(shown.steps.length).toBeGreaterThan(0);
    const again = (await home.ok("op", "retry", provision.id, "--json")).json<{ state: string }>();
    expect(again.state).toBe("completed");
    expect((await home.run(["op", "show", "op_00000000000000000000000000"])).exitCode).toBe(7);
  });
});

describe("dry run", () => {
  test("of create and of delete says each step and changes nothing", async () => {
    const databases = async () => (await home.ok("db", "list", "--json")).json<{ items: object[] }>().items;
    const before = await databases();
    const operations = (await home.ok("op", "list", "--json")).stdout;
    const create = await home.ok("db", "create", "blog", "--dry-run");
    expect(create.stdout).toContain("create the database blog from template0");
    const drop = (await home.ok("db", "delete", "shop", "--dry-run", "--json")).json<{ steps: { step: string }[] }>();
    expect(drop.steps.map((step) => step.step)).toContain("rename-away");
    expect((await home.run(["db", "delete", "vault", "--dry-run"])).exitCode).toBe(4);
    expect(await databases()).toEqual(before);
    expect((await home.ok("op", "list", "--json")).stdout).toBe(operations);
  });
});

describe("help and completion", () => {
  test("every command has help, at the end of which it exits with 0", async () => {
    const visited: string[] = [];
    const visit = async (words: string[]): Promise<void> => {
      const { exitCode, stdout } = await home.run([...words, "--help"]);
      expect(exitCode, words.join(" ")).toBe(0);
      expect(stdout, words.join(" ")).toContain(["Usage: homelab", ...words].join(" "));
      visited.push(words.join(" "));
      const commands = stdout.split("Commands:\n")[1] ?? "";
      const names = [...commands.matchAll(/^ {2}([a-z0-9-]+)/gm)].map((match) => match[1]!).filter((n) => n !== "help");
      await Promise.all(names.map((name) => visit([...words, name])));
    };
    await visit([]);
    expect(visited).toEqual(expect.arrayContaining(["up", "down", "status", "db create", "db rotate", "op retry"]));
  });

  test("completion lists commands, flags, and the names of databases where one is asked for", async () => {
    expect((await home.ok("completion", "bash")).stdout).toContain("complete -F");
    expect((await home.run(["completion", "tcsh"])).exitCode).toBe(2);
    const words = async (...args: string[]) => (await home.ok("complete", "--", ...args)).stdout.split("\n");
    expect(await words("db")).toEqual(expect.arrayContaining(["create", "list", "undelete"]));
    expect(await words("db", "show")).toEqual(expect.arrayContaining(["shop", "vault"]));
    expect(await words("db", "create")).not.toContain("shop");
  });
});
