import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { uuidv7 } from "../../src/core/ids.ts";
import { PlatformDatabase } from "../../src/store/database.ts";
import { migrate, migrationStatus } from "../../src/store/migrate.ts";
import { revisions } from "../../src/store/migrations/index.ts";
import type { Revision } from "../../src/store/migrations/revision.ts";
import { checkout } from "../harness/home.ts";
import { SCHEMA } from "../harness/schema.ts";
import { TemporaryPostgres } from "../harness/temporary-postgres.ts";

/** The platform database itself, on a real PostgreSQL: its schema, its migrations, and what becomes of work when it is away. */
let server: TemporaryPostgres;
let name: string;
let database: PlatformDatabase;

beforeAll(async () => {
  server = await TemporaryPostgres.start();
});
afterAll(() => server.destroy());
beforeEach(async () => {
  name = await server.createDatabase();
  database = server.open(name);
});

const names = revisions.map((revision) => revision.name);
const ask = <R>(text: string, values: unknown[] = []) => server.query<R>(name, text, values);
const schema = async () => (await ask<{ line: string }>(SCHEMA)).map(({ line }) => line);
const isAway = expect.objectContaining({ code: "platform_database_away" }) as Error;

/** One statement in a session of its own. */
const say = (text: string) => database.session((db) => sql.raw(text).execute(db));

describe("migrations", () => {
  test("are numbered without a gap, as their files are called", () => {
    expect(names.map((revision) => Number(/^(\d{3})_[a-z_]+$/.exec(revision)?.[1]))).toEqual(
      names.map((_, i) => i + 1),
    );
  });

  test("go from nothing to the head, and say where they stand", async () => {
    expect(await migrationStatus(database)).toEqual({ current: null, head: names.at(-1), pending: names });
    expect(await migrate(database)).toEqual(names);
    expect(await migrationStatus(database)).toEqual({ current: names.at(-1), head: names.at(-1), pending: [] });
    expect(await migrate(database)).toEqual([]);
  });

  test("ask where they stand without leaving a trace", async () => {
    await migrationStatus(database);
    expect(await schema()).toEqual([]);
  });

  test.each(names.map((revision, index) => [revision, names[index - 1] ?? "base"]))(
    "%s goes forward, back and forward again, and leaves what was before",
    async (revision, before) => {
      await migrate(database, before);
      const without = await schema();
      expect(await migrate(database, revision)).toEqual([revision]);
      const applied = await schema();
      expect(applied).not.toEqual(without);
      expect(await migrate(database, before)).toEqual([revision]);
      const ledger = (lines: string[]) => lines.filter((line) => !line.includes("schema_revisions"));
      expect(ledger(await schema())).toEqual(ledger(without));
      expect(await migrate(database, revision)).toEqual([revision]);
      expect(await schema()).toEqual(applied);
    },
  );

  test("go back to nothing from the head, with rows in the tables", async () => {
    await migrate(database);
    const workflow = uuidv7(1);
    await ask("INSERT INTO workflows (id, name, status, workflow_type) VALUES ($1, 'x', 'paused', 'deploy')", [
      workflow,
    ]);
    expect(await migrate(database, "base")).toEqual(names.toReversed());
    expect((await schema()).filter((line) => !line.includes("schema_revisions"))).toEqual([]);
  });

  test("keep the rows of the five tables when later revisions are taken back", async () => {
    await migrate(database);
    await ask("INSERT INTO workflows (id, name, status, workflow_type) VALUES ($1, 'x', 'paused', 'deploy')", [
      uuidv7(1),
    ]);
    await migrate(database, names[0]);
    expect(await ask("SELECT name, status::text FROM workflows")).toEqual([{ name: "x", status: "paused" }]);
  });

  test("of many at once in one process apply each revision once", async () => {
    const done = await Promise.all(Array.from({ length: 6 }, () => migrate(server.open(name))));
    expect(done.flat().toSorted()).toEqual(names);
    expect(await ask("SELECT revision FROM schema_revisions ORDER BY 1")).toEqual(
      names.map((revision) => ({ revision })),
    );
  });

  test("of three processes that start at once apply each revision once", async () => {
    const script = `
      import { PlatformDatabase } from "${checkout}/src/store/database.ts";
      import { migrate } from "${checkout}/src/store/migrate.ts";
      const database = new PlatformDatabase({ connect: async () => (${JSON.stringify(server.connection(name))}) });
      console.log(JSON.stringify(await migrate(database)));
      await database.close();`;
    const outputs = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
          cwd: checkout,
          timeout: 30_000,
        });
        let text = "";
        child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        child.stderr.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        await once(child, "close");
        return JSON.parse(text) as string[];
      }),
    );
    expect(outputs.flat().toSorted()).toEqual(names);
  });

  test("that fail are rolled back whole, and the ones before them stay", async () => {
    const broken: Revision = {
      name: `${String(names.length + 1).padStart(3, "0")}_broken`,
      up: ["CREATE TABLE half (id integer)", "ALTER TABLE no_such_table ADD COLUMN x integer"],
      down: ["DROP TABLE half"],
    };
    await expect(migrate(database, undefined, [...revisions, broken])).rejects.toThrow(/no_such_table/);
    expect(await migrationStatus(database, [...revisions, broken])).toEqual({
      current: names.at(-1),
      head: broken.name,
      pending: [broken.name],
    });
    expect((await schema()).filter((line) => line.includes("half"))).toEqual([]);
    const mended = { ...broken, up: [broken.up[0]!] };
    expect(await migrate(database, undefined, [...revisions, mended])).toEqual([broken.name]);
  });

  test("that fail on their way back are rolled back whole too", async () => {
    const stuck: Revision = {
      name: "001_stuck",
      up: ["CREATE TABLE kept ()"],
      down: ["DROP TABLE kept", "SELECT 1/0"],
    };
    await migrate(database, undefined, [stuck]);
    await expect(migrate(database, "base", [stuck])).rejects.toThrow(/division by zero/);
    expect(await migrationStatus(database, [stuck])).toMatchObject({ current: "001_stuck" });
    expect(await ask("SELECT count(*)::int AS n FROM kept")).toEqual([{ n: 0 }]);
  });

  test("of a newer version are refused, and nothing is touched", async () => {
    await migrate(database);
    await ask("INSERT INTO schema_revisions (revision) VALUES ('999_of_tomorrow')");
    const before = await schema();
    const refused = expect.objectContaining({
      code: "platform_database_newer",
      message: expect.stringContaining("999_of_tomorrow") as string,
      hint: expect.stringMatching(/version/) as string,
    }) as Error;
    await expect(migrate(database)).rejects.toEqual(refused);
    await expect(migrate(database, "base")).rejects.toEqual(refused);
    expect(await schema()).toEqual(before);
    expect(await migrationStatus(database)).toMatchObject({ current: "999_of_tomorrow", pending: [] });
  });

  test("to a revision that nobody knows are refused", async () => {
    await expect(migrate(database, "007_unknown")).rejects.toMatchObject({
      code: "not_found",
      hint: expect.stringContaining("001_initial_schema") as string,
    });
  });
});

describe("a session", () => {
  beforeEach(() => ask("CREATE TABLE notes (text text)"));
  const notes = async () => (await ask<{ text: string }>("SELECT text FROM notes ORDER BY 1")).map(({ text }) => text);

  test("commits at its end, and answers what its work does", async () => {
    const answer = await database.session(async (db) => {
      await sql`INSERT INTO notes VALUES ('one'), ('two')`.execute(db);
      expect(await notes()).toEqual([]);
      return "done";
    });
    expect([answer, await notes()]).toEqual(["done", ["one", "two"]]);
  });

  test("rolls back on an error of its work, and passes it on", async () => {
    const own = new Error("of the work");
    const failing = database.session(async (db) => {
      await sql`INSERT INTO notes VALUES ('one')`.execute(db);
      throw own;
    });
    await expect(failing).rejects.toBe(own);
    expect(await notes()).toEqual([]);
  });

  test("rolls back on an error of the database, which keeps its code", async () => {
    await expect(
      database.session(async (db) => {
        await sql`INSERT INTO notes VALUES ('one')`.execute(db);
        await sql`SELECT 1/0`.execute(db);
      }),
    ).rejects.toMatchObject({ code: "22012" });
    expect(await notes()).toEqual([]);
    await say("INSERT INTO notes VALUES ('after')");
    expect(await notes()).toEqual(["after"]);
  });

  test("does not pretend to have committed when an error was swallowed", async () => {
    const swallowing = database.session(async (db) => {
      await sql`INSERT INTO notes VALUES ('one')`.execute(db);
      await sql`SELECT 1/0`.execute(db).catch(() => {});
    });
    await expect(swallowing).rejects.toThrow();
    expect(await notes()).toEqual([]);
  });

  test("of many at once share eight connections", async () => {
    await Promise.all(Array.from({ length: 60 }, (_, i) => say(`INSERT INTO notes VALUES ('${i}')`)));
    expect(await notes()).toHaveLength(60);
    const [row] = await ask<{ n: number }>("SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = $1", [
      name,
    ]);
    expect(row!.n).toBeLessThanOrEqual(9);
  });

  test("reads a date and a bigint as text", async () => {
    const { rows } = await say("SELECT '2026-03-01'::date AS day, 9007199254740993 AS big");
    expect(rows).toEqual([{ day: "2026-03-01", big: "9007199254740993" }]);
  });
});

describe("a notification", () => {
  test("is heard, and the end of the connection too", async () => {
    const heard: string[] = [];
    const ended = Promise.withResolvers<void>();
    const listener = await database.listen("a channel", (payload) => heard.push(payload), ended.resolve);
    await ask("SELECT pg_notify('a channel', 'one')");
    await expect.poll(() => heard).toEqual(["one"]);
    await ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()", [
      name,
    ]);
    await ended.promise;
    await listener.close();
  });

  test("cannot be waited for while the database is away", async () => {
    const nowhere = server.open("no_such_database");
    await expect(
      nowhere.listen(
        "c",
        () => {},
        () => {},
      ),
    ).rejects.toEqual(isAway);
  });
});

describe("a database that is away", () => {
  const timed = async (work: Promise<unknown>) => {
    const started = performance.now();
    await expect(work).rejects.toEqual(isAway);
    return performance.now() - started;
  };
  const select = (from: PlatformDatabase) => from.session((db) => sql`SELECT 1`.execute(db));
  const at = (more: object) => new PlatformDatabase({ connect: async () => ({ ...server.connection(name), ...more }) });

  test("is told within 1.5 s when nobody listens, and health says so without throwing", async () => {
    const nobody = at({ host: "127.0.0.1", port: 1 });
    expect(await timed(select(nobody))).toBeLessThan(1500);
    expect(await nobody.health()).toEqual({
      healthy: false,
      message: expect.stringContaining("ECONNREFUSED") as string,
    });
    await nobody.close();
  });

  test("is told within 1.5 s when somebody takes the connection and says nothing", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const mute = at({ host: "127.0.0.1", port: (silent.address() as AddressInfo).port });
    expect(await timed(select(mute))).toBeLessThan(1500);
    expect(await mute.health()).toMatchObject({ healthy: false });
    await mute.close();
    silent.close();
  });

  test.each<[string, object]>([
    ["there is no such database", { database: "no_such_database" }],
    ["the login is refused", { user: "nobody_we_know" }],
    ["the host's name is unknown", { host: "no-such-host.invalid" }],
  ])("is told when %s", async (_why, more) => {
    const elsewhere = at(more);
    await timed(select(elsewhere));
    expect(await elsewhere.health()).toMatchObject({ healthy: false });
    await elsewhere.close();
  });

  test("is told when its configuration cannot be had yet, and asked for again", async () => {
    let asked = 0;
    const early = new PlatformDatabase({
      connect: async () => {
        if (asked++ === 0) throw new Error("there are no secrets yet");
        return server.connection(name);
      },
    });
    await timed(select(early));
    expect(await early.health()).toMatchObject({
      healthy: true,
      message: expect.stringMatching(/^PostgreSQL \d/) as string,
    });
    await early.close();
    await timed(select(early));
  });

  test("is told when its sessions are ended under work, and it is back at once", async () => {
    const broken = database.session(async (db) => {
      const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(db);
      await ask("SELECT pg_terminate_backend($1)", [rows[0]!.pid]);
      await sql`SELECT 1`.execute(db);
    });
    await timed(broken);
    await select(database);
  });

  test("is told when a statement hangs, and its connection is given up", async () => {
    const started = performance.now();
    await expect(database.session((db) => sql`SELECT pg_sleep(30)`.execute(db), 0.5)).rejects.toEqual(isAway);
    expect(performance.now() - started).toBeLessThan(1500);
    await select(database);
  });

  test("is told when the server dies, ends no process of ours, and is used again when it is back", async () => {
    await Promise.all(Array.from({ length: 8 }, () => select(database)));
    await server.stop();
    try {
      expect(await timed(select(database))).toBeLessThan(1500);
      expect(await database.health()).toMatchObject({ healthy: false });
    } finally {
      await server.restart();
    }
    await select(database);
    expect(await database.health()).toMatchObject({ healthy: true });
  });
});
