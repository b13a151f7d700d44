import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../src/host/run.ts";
import { atLeastTimes, atMost, atMostTimes, makePairedRow, makeRow, type Bench, type Row } from "./bench.ts";
import type { BenchHome } from "./home.ts";
import type { Load, LoadResult } from "./load.ts";

const ROUNDS = 5;
const SECONDS = 4;
const CONNECTIONS = 32;

/** The hub under load, beside a bare server of the same framework that answers a constant of the same size. */
export const hub: Bench = {
  name: "hub",
  async measure({ home, say }) {
    const bench = await home();
    const target = await HubTarget.of(bench);
    say("summary under load");
    const summary = await besideBare(target, "/api/summary", { connections: CONNECTIONS, seconds: SECONDS });
    say("filling the server up to 1,000 databases");
    await bench.thousandDatabases();
    say("lists of 1,000");
    const list = await besideBare(target, "/api/databases?limit=1000", {
      connections: CONNECTIONS,
      seconds: SECONDS,
      rate: 200,
    });
    const page = await besideBare(target, "/api/databases", { connections: CONNECTIONS, seconds: SECONDS, rate: 200 });
    const each = ({ ours, bare }: Beside, value: (result: LoadResult) => number) => ({
      ours: ours.map(value),
      bare: bare.map(value),
    });
    const perSecond = (result: LoadResult) => result.requests / result.seconds;
    const p99 = (result: LoadResult) => result.p99;
    const lost = [summary, list, page].flatMap(({ ours }) => ours).reduce((sum, { failed }) => sum + failed, 0);
    const note = `${lost} requests failed`;
    return [
      makePairedRow(
        "GET /api/summary, 32 connections / bare server",
        "req/s",
        each(summary, perSecond),
        atLeastTimes(0.5),
        note,
      ),
      makePairedRow("GET /api/summary, p99 / bare server", "ms", each(summary, p99)),
      makePairedRow("GET /api/databases of 1,000 at 200/s, p99 / bare server", "ms", each(list, p99), atMost(25, "ms")),
      makePairedRow(
        "GET /api/databases, a page of 100 of them, p99 / bare server",
        "ms",
        each(page, p99),
        atMost(25, "ms"),
      ),
      await memoryRow(target, say),
    ];
  },
};

interface Beside {
  ours: LoadResult[];
  bare: LoadResult[];
}

/** The hub of a home, and the key to it. */
class HubTarget {
  readonly base: string;
  readonly headers: Record<string, string>;
  readonly pid: number;

  private constructor(base: string, headers: Record<string, string>, pid: number) {
    this.base = base;
    this.headers = headers;
    this.pid = pid;
  }

  static async of({ test }: BenchHome): Promise<HubTarget> {
    const headers = { "x-api-key": await test.secret("dashboard_api_key") };
    return new HubTarget(`http://127.0.0.1:${test.port(5000)}`, headers, (await test.pid("hub"))!);
  }
}

/** Ours and the bare server in turns. */
async function besideBare(target: HubTarget, path: string, load: Omit<Load, "url" | "headers">): Promise<Beside> {
  const ours = { ...load, url: target.base + path, headers: target.headers };
  const { bytes, requests } = await runLoad({ ...ours, rate: undefined, seconds: undefined, requests: 20 });
  const bare = await BareServer.start(Math.round(bytes / requests));
  const results: Beside = { ours: [], bare: [] };
  try {
    for (let i = 0; i < ROUNDS; i++) {
      results.bare.push(await runLoad({ ...load, url: bare.url, headers: {} }));
      results.ours.push(await runLoad(ours));
    }
  } finally {
    bare.end();
  }
  return results;
}

async function runLoad(load: Load): Promise<LoadResult> {
  const env = { PATH: process.env["PATH"]!, HOMELAB_LOAD: JSON.stringify(load) };
  const { stdout } = await run({ argv: [process.execPath, join(import.meta.dirname, "load.ts")], env });
  return JSON.parse(stdout) as LoadResult;
}

/** The bare server, in a process of its own. */
class BareServer {
  readonly url: string;
  readonly end: () => void;

  private constructor(url: string, end: () => void) {
    this.url = url;
    this.end = end;
  }

  static async start(size: number): Promise<BareServer> {
    const env = { PATH: process.env["PATH"]!, HOMELAB_SIZE: String(size) };
    const child = spawn(process.execPath, [join(import.meta.dirname, "bare-server.ts")], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const url = await new Promise<string>((resolve, reject) => {
      child.once("error", reject).once("exit", () => reject(new Error("the bare server ended")));
      child.stdout.once("data", (line: Buffer) => resolve(line.toString().trim()));
    });
    return new BareServer(url, () => void child.kill());
  }
}

const residentMb = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;

/** What the hub keeps after many requests: the last of three looks, once its garbage may have been collected. */
async function memoryRow(target: HubTarget, say: (text: string) => void): Promise<Row> {
  const load = { url: `${target.base}/api/summary`, headers: target.headers, connections: CONNECTIONS };
  say("10,000 requests");
  await runLoad({ ...load, requests: 10_000 });
  const early = await calmMemory(target.pid);
  say("90,000 more");
  await runLoad({ ...load, requests: 90_000 });
  const late = await calmMemory(target.pid);
  return makeRow(
    "the hub's memory after 100,000 requests / after 10,000",
    "MB",
    { ours: [late], bare: [early] },
    atMostTimes(1.1),
  );
}

async function calmMemory(pid: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 3000));
  return residentMb(pid);
}
