import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { foreignDumpRisk } from "../../src/cluster/versions.ts";
import { hubSocketPath } from "../../src/cluster/home.ts";
import { waitUntil } from "../../src/core/clock.ts";
import { cleanEnvironment, pipe, run, runAny } from "../../src/host/run.ts";
import { readInstallation } from "../../src/site/installation.ts";
import { Api } from "../harness/api.ts";
import { ask, askAsSuperuser, connect } from "../harness/clients.ts";
import { databaseIsThere, DIGEST, leavesNothing, makeShop, uploads, urlOf } from "../harness/dump-shop.ts";
import { checkout, type TestHome } from "../harness/home.ts";
import { hostileNames } from "../harness/hostile-names.ts";
import { homeWithHub, makeKey, ownerOf } from "../harness/people.ts";

let home: TestHome;
let folder: string;
let bin: string;
let isOld: boolean;
let shop: Awaited<ReturnType<TestHome["createDatabase"]>>;

const file = (name: string): string => join(folder, name);
const importing = (name: string, ...words: string[]) => home.run(["db", "import", name, ...words, "--trust-dump"]);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hl-dumps-"));
  home = await homeWithHub();
  const { machine } = (await readInstallation(home.paths))!;
  bin = machine.programs.postgresBin;
  isOld = foreignDumpRisk(machine.versions.postgresql) !== undefined;
  shop = await makeShop(home);
});
afterAll(async () => {
  await home?.destroy();
  rmSync(folder, { recursive: true, force: true });
});

describe("a dump", () => {
  test("goes out to a file that only its owner reads, and comes back whole, owned by the new owner alone", async () => {
    const made = await home.run(["db", "export", "shop", file("shop.dump"), "--yes"]);
    expect(made.exitCode, made.stderr).toBe(0);
    expect(made.stderr).toMatch(/✓ shop: .* in .*shop\.dump/);
    expect(readdirSync(folder)).toEqual(["shop.dump"]);
    expect(statSync(file("shop.dump")).mode & 0o777).toBe(0o600);
    const { stdout } = await run({ argv: [join(bin, "pg_restore"), "--list", file("shop.dump")] });
    expect(stdout).toContain("TABLE DATA public item");
    expect(stdout).not.toContain("pgbouncer");

    const back = await importing("again", file("shop.dump"));
    expect(back.exitCode, back.stderr).toBe(0);
    expect(back.stderr).toMatch(/again: \d+ tables, about \d+ rows/);
    const url = await urlOf(home, "again");
    expect(await ask(url, DIGEST)).toEqual(await ask(shop.connection_url, DIGEST));
    const owners = await askAsSuperuser(
      home,
      `SELECT DISTINCT pg_get_userbyid(relowner) AS owner FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
       WHERE nspname IN ('public', 'crm') AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')`,
      "again",
    );
    expect(owners).toEqual([{ owner: "again_owner" }]);
    const reader = await urlOf(home, "again", "--read-only");
    expect(await ask(reader, "SELECT count(*)::int AS n FROM item")).toEqual([{ n: 12000 }]);
    expect(await ask(reader, "SELECT address FROM crm.contact")).toEqual([{ address: "Real Street 1" }]);
    await ask(url, "INSERT INTO item (name) VALUES ('after')");
    // Statistics are there: a plan knows how many rows there are.
    expect(await ask(url, "SELECT reltuples::int AS n FROM pg_class WHERE relname = 'person'")).toEqual([{ n: 500 }]);
    await leavesNothing(home);
  });

  test("goes out to standard output, also without the hub, and what is no terminal's is told so", async () => {
    const argv: [string, ...string[]] = [
      join(checkout, "homelab"),
      "--home",
      home.root,
      "--local",
      "db",
      "export",
      "shop",
    ];
    const env = { PATH: process.env["PATH"]!, HOME: "/" };
    const { exitCode, stderr } = await runAny({ argv, env, outputFile: file("piped.dump") });
    expect(exitCode, stderr).toBe(0);
    const list = await run({ argv: [join(bin, "pg_restore"), "--list", file("piped.dump")] });
    expect(list.stdout).toContain("TABLE DATA public person");
  });

  test("is not written over a file that is there, and a folder that is not there is told in plain words", async () => {
    expect(await home.run(["db", "export", "shop", file("shop.dump")])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("--yes") as string,
    });
    await home.ok("db", "export", "shop", file("shop.dump"), "--yes");
    const nowhere = await home.run(["db", "export", "shop", file("nowhere/shop.dump")]);
    expect(nowhere).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("cannot be written") as string });
    expect((await home.run(["db", "export", "nothere", file("x.dump")])).exitCode).toBe(7);
    expect(existsSync(file("x.dump"))).toBe(false);
  });

  test("of somebody else is refused by versions that run what a crafted one says, before it is sent", async () => {
    const refused = await home.run(["db", "import", "foreign", file("shop.dump")]);
    if (isOld) {
      expect(refused.exitCode, refused.stderr).toBe(2);
      expect(refused.stderr).toContain("CVE-2026-116314");
      expect(refused.stderr).toContain("--trust-dump");
      expect(await databaseIsThere(home, "foreign")).toBe(false);
    } else expect(refused.exitCode, refused.stderr).toBe(0);
  });

  test("that was cut off is refused, wherever it was cut, and no database is made", async () => {
    const { size } = statSync(file("shop.dump"));
    for (const length of [0, 400, Math.floor(size * 0.6), size - 1]) {
      copyFileSync(file("shop.dump"), file("cut.dump"));
      truncateSync(file("cut.dump"), length);
      const refused = await importing("cut", file("cut.dump"));
      expect(refused.exitCode, `${length}: ${refused.stderr}`).toBe(2);
    }
    expect(await databaseIsThere(home, "cut")).toBe(false);
    await leavesNothing(home);
  });

  test("goes into an empty database that is there, whose passwords stay, and into no other", async () => {
    const before = await home.createDatabase("waiting");
    const into = await importing("waiting", file("shop.dump"));
    expect(into.exitCode, into.stderr).toBe(0);
    expect(await ask(before.connection_url, DIGEST)).toEqual(await ask(shop.connection_url, DIGEST));
    const again = await importing("waiting", file("shop.dump"));
    expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("not empty") as string });
    expect(await ask(before.connection_url, DIGEST)).toEqual(await ask(shop.connection_url, DIGEST));
  });

  test("is looked through by a dry run, which says what would come and makes nothing", async () => {
    const plan = await importing("dry", file("shop.dump"), "--dry-run");
    expect(plan.exitCode, plan.stderr).toBe(0);
    expect(plan.stdout).toContain("dumped from shop: 5 tables, 1 views");
    expect(plan.stdout).toContain("extensions pg_trgm");
    expect(await databaseIsThere(home, "dry")).toBe(false);
    await leavesNothing(home);
  });
});

describe("SQL", () => {
  test("of pg_dump comes in, as it is and packed by gzip, and one that breaks off is refused", async () => {
    const argv: [string, ...string[]] = [
      join(bin, "pg_dump"),
      "--no-owner",
      "--no-privileges",
      "--exclude-schema=pgbouncer",
      `--dbname=${shop.connection_url}`,
    ];
    const { stdout } = await run({ argv, env: cleanEnvironment() });
    writeFileSync(file("shop.sql"), stdout);
    writeFileSync(file("shop.sql.gz"), gzipSync(stdout));
    for (const [name, from] of [
      ["sql", "shop.sql"],
      ["packed", "shop.sql.gz"],
    ] as const) {
      const made = await importing(name, file(from));
      expect(made.exitCode, made.stderr).toBe(0);
      expect(await ask(await urlOf(home, name), DIGEST)).toEqual(await ask(shop.connection_url, DIGEST));
    }
    writeFileSync(file("cut.sql"), stdout.slice(0, stdout.length / 2));
    writeFileSync(file("cut.sql.gz"), gzipSync(stdout).subarray(0, 20_000));
    for (const from of ["cut.sql", "cut.sql.gz"])
      expect((await importing("cutsql", file(from))).exitCode, from).toBe(2);
    expect(await databaseIsThere(home, "cutsql")).toBe(false);
    await leavesNothing(home);
  });

  test("by hand comes by standard input, and one wrong statement leaves nothing", async () => {
    const flags = ["db", "import", "byhand", "-", "--trust-dump"];
    const broken = await home.run(flags, {
      input: "CREATE TABLE one (id int); COMMIT; CREATE TABLE two (id nothing);",
    });
    expect(broken.exitCode, broken.stderr).toBe(1);
    expect(broken.stderr).toContain('type "nothing" does not exist');
    expect(await databaseIsThere(home, "byhand")).toBe(false);
    const made = await home.run(flags, { input: "CREATE TABLE one (id int); INSERT INTO one VALUES (1);" });
    expect(made.exitCode, made.stderr).toBe(0);
    expect(await ask(await urlOf(home, "byhand"), "SELECT id FROM one")).toEqual([{ id: 1 }]);
  });

  test.each([
    ["starts a program", String.raw`\! touch MARK`],
    ["writes a file", String.raw`\o MARK`],
    ["copies from a program", String.raw`\copy x from program 'touch MARK'`],
    ["goes to another database", String.raw`\connect postgres`],
    ["leaves the restricted mode with a word of its own", "\\unrestrict abc\n\\! touch MARK"],
  ])("that %s is refused by psql itself, and nothing of it happens", async (_what, text) => {
    const mark = join(home.paths.run, "mark");
    const result = await home.run(["db", "import", "hostile", "-", "--trust-dump"], {
      input: `CREATE TABLE x (t text);\n${text.replaceAll("MARK", mark)}\n`,
    });
    expect(result.exitCode, result.stderr).toBe(1);
    expect(existsSync(mark)).toBe(false);
    expect(await databaseIsThere(home, "hostile")).toBe(false);
  });

  test.each([
    "CREATE ROLE evil SUPERUSER LOGIN;",
    "RESET ROLE; ALTER ROLE hostile_load SUPERUSER;",
    "RESET SESSION AUTHORIZATION; ALTER ROLE hostile_owner SUPERUSER;",
    "SET ROLE postgres; CREATE TABLE y ();",
    "CREATE TABLE y (t text); COPY y FROM PROGRAM 'id';",
    "CREATE TABLE y (t text); COPY y FROM '/etc/passwd';",
    "CREATE EXTENSION dblink;",
    "CREATE EXTENSION plpython3u;",
    "ALTER SYSTEM SET archive_mode = off;",
    "DROP DATABASE shop;",
    "GRANT shop_owner TO hostile_app;",
    "SELECT pg_read_file('/etc/passwd');",
  ])("that says %s is run as the new owner, who may not", async (statement) => {
    const result = await home.run(["db", "import", "hostile", "-", "--trust-dump"], { input: `${statement}\n` });
    expect(result.exitCode, result.stderr).toBe(1);
    expect(await databaseIsThere(home, "hostile")).toBe(false);
    const evil = await askAsSuperuser(home, "SELECT rolname FROM pg_roles WHERE rolsuper OR rolname = 'evil'");
    expect(evil).toEqual([{ rolname: "postgres" }]);
  });

  test("that fails leaves an empty database as it was: empty, open, with the same passwords", async () => {
    const before = await home.createDatabase("kept");
    const failed = await home.run(["db", "import", "kept", "-", "--trust-dump"], {
      input: "CREATE SCHEMA s; CREATE TABLE s.one (id int); COMMIT; SELECT 1/0;",
    });
    expect(failed.exitCode, failed.stderr).toBe(1);
    expect(failed.stderr).not.toContain("not taken back");
    expect(await ask(before.pooled_url, "SELECT count(*)::int AS n FROM pg_namespace WHERE nspname = 's'")).toEqual([
      { n: 0 },
    ]);
    await ask(before.pooled_url, "CREATE TABLE mine (id int)");
    const reader = await urlOf(home, "kept", "--read-only");
    expect(await ask(reader, "SELECT * FROM mine")).toEqual([]);
    await leavesNothing(home);
  });
});

describe("a hostile archive", () => {
  test("runs its code as the new owner, however a superuser made it", async () => {
    await askAsSuperuser(home, "CREATE DATABASE trap");
    await askAsSuperuser(
      home,
      `CREATE TABLE seen (who text, super boolean);
       CREATE FUNCTION look(int) RETURNS boolean LANGUAGE plpgsql SET search_path = public AS $$ BEGIN
         INSERT INTO seen SELECT session_user, rolsuper FROM pg_roles WHERE rolname = session_user;
         BEGIN EXECUTE 'ALTER ROLE ' || quote_ident(session_user) || ' SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
         RETURN true; END $$;
       CREATE TABLE bait (id int CHECK (look(id)));
       INSERT INTO bait VALUES (1);
       DELETE FROM seen`,
      "trap",
    );
    const conninfo = `host=${home.paths.run} port=${home.port(5431)} user=postgres dbname=trap`;
    const env = cleanEnvironment({ PGPASSWORD: await home.secret("superuser") });
    await run({ argv: [join(bin, "pg_dump"), "--format=custom", `--file=${file("trap.dump")}`, conninfo], env });
    const result = await importing("caught", file("trap.dump"));
    expect(result.exitCode, result.stderr).toBe(0);
    const seen = await askAsSuperuser(home, "SELECT DISTINCT who, super FROM seen", "caught");
    expect(seen).toEqual([{ who: "caught_load", super: false }]);
    expect(await askAsSuperuser(home, "SELECT rolname FROM pg_roles WHERE rolsuper")).toEqual([
      { rolname: "postgres" },
    ]);
    await leavesNothing(home);

    await askAsSuperuser(
      home,
      `CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
       CREATE EVENT TRIGGER trap ON ddl_command_end EXECUTE FUNCTION on_ddl()`,
      "trap",
    );
    await run({ argv: [join(bin, "pg_dump"), "--format=custom", `--file=${file("trap2.dump")}`, conninfo], env });
    const refused = await importing("caught2", file("trap2.dump"));
    expect(refused.exitCode, refused.stderr).toBe(1);
    expect(refused.stderr).toContain("Must be superuser");
    expect(await databaseIsThere(home, "caught2")).toBe(false);
    await leavesNothing(home);
    await askAsSuperuser(home, "DROP DATABASE trap");
  });
});

describe("by the API", () => {
  test("an export needs a key that may provision, is in the audit log, and hands the platform's own out to nobody", async () => {
    const owner = await ownerOf(home);
    const reader = Api.network(home).withKey(await makeKey(owner, "looks", ["read"]));
    const maker = Api.network(home).withKey(await makeKey(owner, "makes", ["provision"]));
    expect((await Api.network(home).get("/api/databases/shop/export")).status).toBe(401);
    expect((await reader.get("/api/databases/shop/export")).status).toBe(403);
    const dump = await maker.get("/api/databases/shop/export");
    expect(dump.status).toBe(200);
    expect(dump.headers["content-type"]).toBe("application/octet-stream");
    expect(dump.headers["content-disposition"]).toBe('attachment; filename="shop.dump"');
    expect(dump.text.startsWith("PGDMP")).toBe(true);
    expect((await maker.ask("HEAD", "/api/databases/shop/export")).status).toBe(200);
    for (const [name, status] of [
      ["homelab_jarvis", 409],
      ["postgres", 409],
      ["nothere", 404],
    ] as const)
      expect((await maker.get(`/api/databases/${name}/export`)).status, name).toBe(status);
    const { items } = (await owner.get("/api/audit?limit=50")).json<{
      items: { action: string; actor: string; target: string }[];
    }>();
    expect(items).toContainEqual(
      expect.objectContaining({ action: "database.export", actor: "key:makes", target: "shop" }),
    );
  });

  test("bytes are taken where they are wanted, and nowhere else; JSON is no dump", async () => {
    const owner = await ownerOf(home);
    const bytes = { "content-type": "application/octet-stream" };
    const elsewhere = await owner.ask("POST", "/api/databases", { body: "PGDMP", headers: bytes });
    expect([elsewhere.status, elsewhere.code]).toEqual([415, "media_type_unsupported"]);
    expect((await owner.ask("POST", "/api/nothing", { body: "PGDMP", headers: bytes })).status).toBe(404);
    const json = await owner.post("/api/databases/fresh/import?trust_dump=true", { a: 1 });
    expect([json.status, json.code]).toEqual([422, "input_invalid"]);
    const garbage = await owner.ask("POST", "/api/databases/fresh/import?trust_dump=true", {
      body: Buffer.from([0, 1, 2, 3]),
      headers: bytes,
    });
    expect([garbage.status, garbage.code]).toEqual([422, "input_invalid"]);
    const reader = Api.network(home).withKey(await makeKey(owner, "looks on", ["read"]));
    expect((await reader.ask("POST", "/api/databases/fresh/import", { body: "x", headers: bytes })).status).toBe(403);
    await leavesNothing(home);
  });

  test("names that mean something else elsewhere are refused both ways, and nothing is made", async () => {
    const before = await askAsSuperuser(home, "SELECT count(*) FROM pg_database");
    const socket = Api.socket(home);
    const headers = { "content-type": "application/octet-stream" };
    for (const name of hostileNames.filter((each) => !["", ".", ".."].includes(each))) {
      const path = `/api/databases/${encodeURIComponent(name)}`;
      expect([404, 409, 403, 422], name).toContain((await socket.get(`${path}/export`)).status);
      const sent = await socket.ask("POST", `${path}/import?trust_dump=true`, { body: "SELECT 1;", headers });
      expect([404, 409, 403, 422], `${name}: ${sent.text}`).toContain(sent.status);
    }
    expect(await askAsSuperuser(home, "SELECT count(*) FROM pg_database")).toEqual(before);
    await leavesNothing(home);
  });
});

describe("what breaks off", () => {
  /** Sessions of pg_dump in a database: ours has no name but the platform's. */
  const dumping = async (database: string): Promise<number[]> =>
    (
      await askAsSuperuser<{ pid: number }>(
        home,
        `SELECT pid FROM pg_stat_activity WHERE datname = '${database}' AND backend_type = 'client backend'
         AND (query ILIKE 'LOCK TABLE%' OR query LIKE 'COPY %TO stdout%')`,
      )
    ).map(({ pid }) => pid);

  test("a client that goes away in mid-export ends pg_dump", async () => {
    const holder = await connect(shop.connection_url);
    await holder.query("BEGIN; LOCK TABLE item IN ACCESS EXCLUSIVE MODE");
    const asking = request({ socketPath: hubSocketPath(home.paths), path: "/api/databases/shop/export" });
    asking.on("error", () => {});
    asking.end();
    await waitUntil(async () => (await dumping("shop")).length > 0, {
      timeout: 20,
      what: "pg_dump waits for the lock",
    });
    asking.destroy();
    await waitUntil(async () => (await dumping("shop")).length === 0, { timeout: 20, what: "pg_dump has ended" });
    await holder.query("ROLLBACK");
    await holder.end();
    await leavesNothing(home);
  });

  test("an export whose server session ends in the middle leaves no file, and says so", async () => {
    const { connection_url: url } = await home.createDatabase("bulk");
    await ask(
      url,
      "CREATE TABLE bulk AS SELECT string_agg(md5(random()::text || n || m), '') AS t FROM generate_series(1, 600) n, generate_series(1, 1500) m GROUP BY n",
    );
    const env = { PATH: process.env["PATH"]!, HOME: "/" };
    const argv: [string, ...string[]] = [
      join(checkout, "homelab"),
      "--home",
      home.root,
      "db",
      "export",
      "bulk",
      file("bulk.dump"),
    ];
    const exporting = pipe({ argv, env });
    exporting.stdin.end();
    exporting.stdout.resume();
    const partial = `${file("bulk.dump")}.partial`;
    await waitUntil(async () => existsSync(partial) && statSync(partial).size > 50_000, {
      timeout: 60,
      every: 5,
      what: "some of it has come",
    });
    await askAsSuperuser(
      home,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'bulk' AND query LIKE 'COPY %TO stdout%'`,
    );
    const { exitCode, stderr } = await exporting.ended;
    expect(exitCode, stderr).toBeGreaterThan(0);
    expect(stderr).toContain("broke off");
    expect(readdirSync(folder).filter((name) => name.startsWith("bulk"))).toEqual([]);
    await leavesNothing(home);
  });

  test("an upload whose sender goes away leaves nothing", async () => {
    const path = "/api/databases/never/import?trust_dump=true";
    const headers = { "content-type": "application/octet-stream" };
    const sending = request({ socketPath: hubSocketPath(home.paths), method: "POST", path, headers });
    sending.on("error", () => {});
    sending.write(readFileSync(file("shop.dump")).subarray(0, 100_000));
    const isThere = async () => uploads(home).length > 0;
    await waitUntil(isThere, { timeout: 20, what: "some of it has come" });
    sending.destroy();
    await waitUntil(async () => !(await isThere()), { timeout: 20, what: "it is gone" });
    expect(await databaseIsThere(home, "never")).toBe(false);
  });
});

describe("a dump in the repository", () => {
  let id: string;
  const stored = () => {
    const at = join(home.paths.backups, "logical", "shop");
    return readdirSync(at).map((name) => join(at, name));
  };

  test("is encrypted, listed, opened by openssl alone, and comes back under another name without being asked for trust", async () => {
    const made = await home.run(["db", "backup", "--db", "shop", "--note", "before the fair"]);
    expect(made.exitCode, made.stderr).toBe(0);
    id = made.stdout.trim();
    expect(id).toMatch(/^dump_/);
    const [sealed] = stored().filter((path) => path.endsWith(".dump.enc"));
    expect(statSync(sealed!).mode & 0o777).toBe(0o600);
    expect(readFileSync(sealed!).includes("PGDMP")).toBe(false);
    const { items } = (await home.ok("db", "list-backups", "--db", "shop", "--json")).json<{ items: object[] }>();
    expect(items).toEqual([
      expect.objectContaining({ id, encrypted: true, note: "before the fair", database: "shop" }),
    ]);

    const { repositories } = JSON.parse(readFileSync(home.paths.storage, "utf8")) as {
      repositories: { cipher_pass: string }[];
    };
    writeFileSync(file("pass"), repositories[0]!.cipher_pass, { mode: 0o600 });
    const opening = ["enc", "-d", "-aes-256-cbc", "-pbkdf2", "-iter", "100000", "-pass", `file:${file("pass")}`];
    await run({ argv: ["openssl", ...opening, "-in", sealed!, "-out", file("opened.dump")] });
    const list = await run({ argv: [join(bin, "pg_restore"), "--list", file("opened.dump")] });
    expect(list.stdout).toContain("TABLE DATA public item");

    const back = await home.run(["db", "import", "restored", "--dump", id]);
    expect(back.exitCode, back.stderr).toBe(0);
    expect(await ask(await urlOf(home, "restored"), DIGEST)).toEqual(await ask(shop.connection_url, DIGEST));
    await leavesNothing(home);
  });

  test("with one flipped byte, or cut short, is refused, and no database is made of it", async () => {
    const [sealed] = stored().filter((path) => path.endsWith(".dump.enc"));
    const whole = readFileSync(sealed!);
    const flipped = Buffer.from(whole);
    flipped[Math.floor(whole.length / 2)]! ^= 1;
    for (const bytes of [flipped, whole.subarray(0, -16)]) {
      writeFileSync(sealed!, bytes);
      const refused = await home.run(["db", "import", "never", "--dump", id]);
      expect(refused.exitCode, refused.stderr).toBe(2);
      expect(refused.stderr).toContain("is not what was written");
      expect(await databaseIsThere(home, "never")).toBe(false);
    }
    writeFileSync(sealed!, whole);
    expect((await home.run(["db", "import", "never", "--dump", "dump_01M7WJ70AKEPXTYDXG8ESG3SQ8"])).exitCode).toBe(7);
  });
});
