import { randomBytes } from "node:crypto";
import { chown, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { ensureSystemUser, isRoot, type Account } from "../../src/host/account.ts";
import { startTicksOf } from "../../src/host/processes.ts";
import { readText } from "../../src/host/files.ts";
import { PlatformDatabase } from "../../src/store/database.ts";
import { runAsOwner } from "../bench/as-owner.ts";

const INSTALLED = "/usr/lib/postgresql";

/** A PostgreSQL of its own in a temporary folder, reached over a socket in there, for tests of what needs no cluster. */
export class TemporaryPostgres {
  readonly folder: string;
  readonly #bin: string;
  readonly #owner: Partial<Account>;
  readonly #opened: PlatformDatabase[] = [];

  private constructor(folder: string, bin: string, owner: Partial<Account>) {
    this.folder = folder;
    this.#bin = bin;
    this.#owner = owner;
  }

  static async start(): Promise<TemporaryPostgres> {
    const majors = (await readdir(INSTALLED)).map(Number).sort((a, b) => b - a);
    const owner: Partial<Account> = isRoot() ? await ensureSystemUser("/var/lib/homelab") : {};
    const folder = await mkdtemp(join(tmpdir(), "hl-pg-"));
    if (owner.uid !== undefined) await chown(folder, owner.uid, owner.gid!);
    const made = new TemporaryPostgres(folder, join(INSTALLED, String(majors[0]), "bin"), owner);
    const words = [
      "-D",
      made.#data,
      "-U",
      "postgres",
      "-A",
      "trust",
      "--encoding=UTF8",
      "--locale=C.UTF-8",
      "--no-sync",
    ];
    await made.#run("initdb", ...words);
    await made.restart();
    return made;
  }

  get #data(): string {
    return join(this.folder, "data");
  }

  /** Starts it, after `stop` too. */
  async restart(): Promise<void> {
    // Tests follow one another faster than pools let their idle connections go.
    const options = `-c listen_addresses='' -c unix_socket_directories=${this.folder} -c fsync=off -c max_connections=500`;
    await this.#run("pg_ctl", "-D", this.#data, "-w", "-o", options, "-l", join(this.folder, "log"), "start");
  }

  async stop(): Promise<void> {
    await this.#run("pg_ctl", "-D", this.#data, "-w", "-m", "immediate", "stop");
  }

  /** The pid of the postmaster. */
  async pid(): Promise<number> {
    return Number((await readText(join(this.#data, "postmaster.pid")))!.split("\n")[0]);
  }

  /** How a client reaches one of its databases. */
  connection(database: string, user = "postgres") {
    return { host: this.folder, port: 5432, user, database, connectionTimeoutMillis: 1000 };
  }

  /** An empty database; answers its name. */
  async createDatabase(): Promise<string> {
    const name = `test_${randomBytes(6).toString("hex")}`;
    await this.query("postgres", `CREATE DATABASE ${name} TEMPLATE template0`);
    return name;
  }

  /** Opens a database as the platform does; closed with everything else. */
  open(database: string): PlatformDatabase {
    const opened = new PlatformDatabase({ connect: async () => ({ ...this.connection(database), max: 8 }) });
    this.#opened.push(opened);
    return opened;
  }

  /** One question as the superuser. */
  async query<R>(database: string, text: string, values: unknown[] = []): Promise<R[]> {
    const client = new Client(this.connection(database));
    await client.connect();
    try {
      return (await client.query(text, values)).rows as R[];
    } finally {
      await client.end();
    }
  }

  /** Ends and removes everything. */
  async destroy(): Promise<void> {
    for (const database of this.#opened) await database.close();
    const pid = await this.pid().catch(() => 0);
    if (pid > 0 && startTicksOf(pid)) await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  #run(program: string, ...words: string[]): Promise<void> {
    return runAsOwner(this.#owner as Account, [join(this.#bin, program), ...words]);
  }
}
