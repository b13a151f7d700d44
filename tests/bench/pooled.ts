import { spawn, type ChildProcess } from "node:child_process";
import { chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LOOKUP_ROLE } from "../../src/cluster/platform-roles.ts";
import { waitUntil } from "../../src/core/clock.ts";
import { isReady } from "../../src/host/probe.ts";
import { cleanEnvironment, run } from "../../src/host/run.ts";
import { freePortOffset } from "../harness/port-offset.ts";
import { atLeastTimes, makePairedRow, makeRow, type Bench, type Row } from "./bench.ts";
import type { BenchHome } from "./home.ts";
import { inTurns } from "./statistics.ts";

const DATABASE = "bench_pooled";
const SCALE = 20;
const SECONDS = 8;
const ROUNDS = 4;
const TARGET = atLeastTimes(0.97);

interface Login {
  user: string;
  password: string;
}

/** A PgBouncer as one would start it by hand: pool size, login and lookup as ours, and nothing else. */
class HandStarted {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(port: number, child: ChildProcess, folder: string) {
    this.port = port;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(home: BenchHome): Promise<HandStarted> {
    const folder = await mkdtemp(join(tmpdir(), "hl-pgb-"));
    const { uid, gid } = home.owner;
    const { topology } = await home.site();
    const { database } = topology.settings;
    const port = 6432 + freePortOffset();
    const ini = [
      "[databases]",
      `* = host=${topology.paths.run} port=${topology.ports.postgres} auth_user=${LOOKUP_ROLE}`,
      "[pgbouncer]",
      "listen_addr = 127.0.0.1",
      `listen_port = ${port}`,
      "unix_socket_dir =",
      "auth_type = scram-sha-256",
      `auth_file = ${join(folder, "users.txt")}`,
      "auth_query = SELECT uname, phash FROM pgbouncer.user_lookup($1)",
      "pool_mode = transaction",
      `default_pool_size = ${database.default_pool_size}`,
      `max_client_conn = ${database.max_client_conn + 10}`,
      "",
    ];
    await writeFile(join(folder, "pgbouncer.ini"), ini.join("\n"), { mode: 0o600 });
    await writeFile(join(folder, "users.txt"), `"${LOOKUP_ROLE}" "${await home.test.secret("pooler_auth")}"\n`, {
      mode: 0o600,
    });
    const files = [folder, join(folder, "pgbouncer.ini"), join(folder, "users.txt")];
    if (uid !== undefined) for (const path of files) await chown(path, uid, gid!);
    const child = spawn(topology.programs.pgbouncer, ["-q", join(folder, "pgbouncer.ini")], {
      uid,
      gid,
      cwd: folder,
      env: cleanEnvironment(),
      stdio: "ignore",
    });
    const tls = { ca: "", cert: "", key: "" };
    await waitUntil(() => isReady({ tcp: port }, tls), { timeout: 10, what: "the hand-started PgBouncer answers" });
    return new HandStarted(port, child, folder);
  }

  async end(): Promise<void> {
    this.#child.kill("SIGTERM");
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function pgbench(host: string, port: number, login: Login, words: string[]): Promise<string> {
  const env = cleanEnvironment({ PGPASSWORD: login.password, PGSSLMODE: "disable" });
  const argv: [string, ...string[]] = ["pgbench", "-n", ...words, "-h", host, "-p", String(port), "-U", login.user];
  return (await run({ argv: [...argv, DATABASE], env, timeout: 120 })).stdout;
}

/** Transactions per second; a client that failed fails the bench. */
async function throughput(...words: Parameters<typeof pgbench>): Promise<number> {
  const text = await pgbench(...words);
  const failed = Number(/^number of failed transactions: (\d+)/m.exec(text)?.[1] ?? 0);
  if (failed > 0 || /aborted/.test(text)) throw new Error(`pgbench had failures:\n${text}`);
  return Number(/^tps = ([\d.]+)/m.exec(text)![1]);
}

export const pooled: Bench = {
  name: "pooled",
  async measure({ home, say }): Promise<Row[]> {
    const bench = await home();
    const login = await bench.test.createDatabase(DATABASE);
    const socket = bench.test.paths.run;
    const { topology } = await bench.site();
    const { postgres, pooled: pooledPort } = topology.ports;
    const most = Number(topology.parameters["max_connections"]);
    await pgbench(socket, postgres, login, ["-i", "-q", "-s", String(SCALE)]);
    const hand = await HandStarted.start(bench);
    const rows: Row[] = [];
    try {
      for (const [title, script] of [
        ["select-only", ["-S"]],
        ["TPC-B", []],
      ] as const) {
        for (const clients of [50, 1000]) {
          say(`pgbench ${title}, ${clients} clients`);
          const words = [...script, "-c", String(clients), "-j", "2", "-T", String(SECONDS)];
          // The app's role may hold 100 connections of its own.
          const direct = clients < Math.min(most, topology.settings.database.connection_limit);
          const values = await inTurns(ROUNDS, {
            hand: () => throughput("127.0.0.1", hand.port, login, words),
            ours: () => throughput("127.0.0.1", pooledPort, login, words),
            ...(direct ? { direct: () => throughput(socket, postgres, login, words) } : {}),
          } as Record<"hand" | "ours" | "direct", () => Promise<number>>);
          const name = `pgbench ${title}, ${clients} clients, pooled`;
          rows.push(
            makePairedRow(`${name} / hand-started PgBouncer`, "tps", { ours: values.ours, bare: values.hand }, TARGET),
          );
          const note = `${clients} connections of its own are refused by PostgreSQL itself (max_connections ${most})`;
          rows.push(
            direct
              ? makePairedRow(`${name} / direct`, "tps", { ours: values.ours, bare: values.direct })
              : makeRow(`${name} / direct`, "tps", { ours: values.ours }, undefined, note),
          );
        }
      }
      return rows;
    } finally {
      await hand.end();
    }
  },
};
