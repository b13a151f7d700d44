import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { TestHome } from "../harness/home.ts";
import { damage, memoryOf, processesOf } from "./aftermath.ts";
import { Callers } from "./callers.ts";
import { ContractSchemas } from "./contract.ts";
import { uncovered } from "./coverage.ts";
import type { FuzzRoute, OpenApi } from "./document.ts";
import { Fuzzer, type FuzzFailure } from "./fuzzer.ts";
import { open, UNDELETE_WITHIN_SECONDS } from "./opening.ts";

/** What came of it. */
export interface FuzzReport {
  seed: number;
  sent: number;
  seconds: number;
  counts: Map<string, Map<number, number>>;
  slowest: Map<string, number>;
  failures: FuzzFailure[];
  /** Routes on which nothing that the document allows ever succeeded. */
  uncovered: string[];
  /** What is not as it was. */
  damage: string[];
  /** Bytes of the hub's memory: before, at most, and at the end. */
  memory: { before: number; peak: number; after: number };
}

/** A home for it, whose deleted databases can be dropped for good soon. */
export async function fuzzHome(): Promise<TestHome> {
  const home = await TestHome.up();
  try {
    await appendFile(join(home.root, "homelab.yaml"), `database: {undelete_within: ${UNDELETE_WITHIN_SECONDS}s}\n`);
    await home.ok("up");
  } catch (error) {
    await home.destroy();
    throw error;
  }
  return home;
}

/** The rounds in which every route has its turn: what one round makes, the next one finds there. */
const ROUNDS = 4;

/** Routes that are fuzzed at the same time. */
const LANES = 4;

/** Sends about so many requests to the hub of a home. */
export async function fuzz(
  home: TestHome,
  { requests, seed }: { requests: number; seed: number },
): Promise<FuzzReport> {
  const begun = performance.now();
  const { fuzzer, callers, adminKey } = await prepareFuzzer(home, requests);
  const before = await processesOf(home);
  const memory = watchMemory(before["hub"]!, await memoryOf(before["hub"]!));
  try {
    await open(fuzzer, callers);
    for (let round = 0; round < ROUNDS; round++) await fuzzAll(fuzzer, requests / ROUNDS, seed + round * 1000);
    const missing = await uncovered(fuzzer, seed);
    const measured = await memory.end();
    return {
      ...{
        seed,
        sent: fuzzer.sent,
        counts: fuzzer.counts,
        slowest: fuzzer.slowest,
        failures: fuzzer.failures,
        uncovered: missing,
      },
      seconds: (performance.now() - begun) / 1000,
      damage: await damage(home, before, adminKey),
      memory: measured,
    };
  } finally {
    await memory.end();
    fuzzer.close();
  }
}

async function prepareFuzzer(
  home: TestHome,
  requests: number,
): Promise<{ fuzzer: Fuzzer; callers: Callers; adminKey: string }> {
  const adminKey = await home.secret("dashboard_api_key");
  const base = `http://127.0.0.1:${home.port(5000)}`;
  const document = (await (await fetch(`${base}/api/openapi.json`)).json()) as OpenApi;
  const makeKey = async (scope: "read" | "operate"): Promise<{ key: string; prefix: string }> => {
    const headers = { "x-api-key": adminKey, "content-type": "application/json" };
    const body = JSON.stringify({ name: `fuzz ${scope}`, scopes: [scope] });
    return (await (await fetch(`${base}/api/keys`, { method: "POST", headers, body })).json()) as {
      key: string;
      prefix: string;
    };
  };
  const [read, operate] = [await makeKey("read"), await makeKey("operate")];
  const callers = new Callers({ admin: adminKey, read: read.key, operate: operate.key });
  const rules = { schemas: new ContractSchemas(document), secrets: await secretsOf(home), root: home.root };
  const fuzzer = new Fuzzer({
    document,
    port: home.port(5000),
    callers,
    rules,
    operations: Math.max(40, requests / 15),
  });
  for (const { prefix } of [read, operate]) fuzzer.known.guard(prefix);
  return { fuzzer, callers, adminKey };
}

/** What the installation keeps to itself: every text of its secrets file. */
const secretsOf = async (home: TestHome): Promise<string[]> =>
  Object.values(JSON.parse(await readFile(home.paths.secrets, "utf8")) as Record<string, unknown>).filter(
    (value): value is string => typeof value === "string" && value.length >= 16,
  );

/** Every route gets its share, several at a time. */
async function fuzzAll(fuzzer: Fuzzer, requests: number, seed: number): Promise<void> {
  const all = fuzzer.routes.reduce((sum, route) => sum + shareOf(route), 0);
  const queue = fuzzer.routes.map((route, i) => ({
    route,
    runs: Math.ceil((requests * shareOf(route)) / all),
    seed: seed + i,
  }));
  const lane = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await fuzzer.fuzz(next.route, next.runs, next.seed);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Streams cost time, pages without input have little to try; a body has most. */
const shareOf = (route: FuzzRoute): number =>
  route.isStream ? 0.3 : route.body ? 1.5 : route.parameters.length > 0 ? 1 : 0.4;

function watchMemory(pid: number, before: number) {
  let peak = before;
  const look = async () => {
    const now = await memoryOf(pid).catch(() => 0);
    peak = Math.max(peak, now);
    return now;
  };
  const timer = setInterval(() => void look(), 500);
  return {
    async end() {
      clearInterval(timer);
      return { before, after: await look(), peak };
    },
  };
}
