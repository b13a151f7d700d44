import { readFile } from "node:fs/promises";
import { get } from "node:http";
import { join } from "node:path";
import { formatBytes } from "../../src/core/units.ts";
import type { TestHome } from "../harness/home.ts";

const SERVICES = ["agent", "hub", "etcd", "patroni", "haproxy", "pgbouncer", "pgbouncer-ro"];

/** Bytes that the hub may hold after any number of requests (measured: 120 MB at first, 210 to 340 MB after 30,000). */
const MOST_MEMORY = 512e6;

/** Streams that one caller may have open at once. */
const STREAMS = 50;

/** Which process each service is: another one afterwards means that it died. */
export async function processesOf(home: TestHome): Promise<Record<string, number | undefined>> {
  const pids = await Promise.all(SERVICES.map(async (name) => [name, await home.pid(name)] as const));
  return Object.fromEntries(pids);
}

/** Bytes of memory that a process holds (proc(5), VmRSS). */
export async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) * 1024;
}

/** What is not as it was before all those requests. */
export async function damage(
  home: TestHome,
  before: Record<string, number | undefined>,
  key: string,
): Promise<string[]> {
  const found: string[] = [];
  const after = await processesOf(home);
  for (const name of SERVICES)
    if (after[name] !== before[name]) found.push(`${name} is another process: ${before[name]}, now ${after[name]}`);
  const health = await home.run(["health", "--json"]);
  if (health.exitCode !== 0)
    found.push(`homelab health ended with ${health.exitCode}: ${health.stdout.slice(0, 2000)}${health.stderr}`);
  const memory = after["hub"] ? await memoryOf(after["hub"]) : 0;
  if (memory > MOST_MEMORY) found.push(`the hub holds ${formatBytes(memory)} of memory`);
  found.push(...(await complaints(home)), ...(await failedOperations(home.port(5000), key)));
  const opened = await openStreams(home.port(5000), key);
  if (opened < STREAMS)
    found.push(`only ${opened} of ${STREAMS} streams can be opened: some of those before were never let go`);
  return found;
}

/** What the hub's own log calls an error, and what Node warns of. */
async function complaints(home: TestHome): Promise<string[]> {
  const lines = (await readFile(join(home.paths.logs, "hub.log"), "utf8")).split("\n");
  const bad = lines.filter((line) => line.includes('"level":"error"') || /^\(node:\d+\) .*Warning: /.test(line));
  return bad.slice(0, 20).map((line) => `the hub's log: ${line.slice(0, 1000)}`);
}

/** What only trying can tell: a place that is not there, or does not let us write. */
const TRIES = ["storage.add"];

/** Operations that were let in and then failed: their guards should have known. */
async function failedOperations(port: number, key: string): Promise<string[]> {
  const url = `http://127.0.0.1:${port}/api/operations?state=failed&limit=1000`;
  const { items } = (await (await fetch(url, { headers: { "x-api-key": key } })).json()) as {
    items: { operation: string }[];
  };
  return items
    .filter(({ operation }) => !TRIES.includes(operation))
    .map((operation) => `an operation failed: ${JSON.stringify(operation)}`);
}

/** Opens as many streams as one caller may have; answers how many there were. */
async function openStreams(port: number, key: string): Promise<number> {
  const requests = Array.from({ length: STREAMS }, () =>
    get({ host: "127.0.0.1", port, path: "/api/events", headers: { "x-api-key": key }, agent: false }),
  );
  const statuses = await Promise.all(
    requests.map(
      (request) =>
        new Promise<number>((resolve) => {
          request.on("response", ({ statusCode }) => resolve(statusCode!)).on("error", () => resolve(0));
        }),
    ),
  );
  for (const request of requests) request.destroy();
  return statuses.filter((status) => status === 200).length;
}
