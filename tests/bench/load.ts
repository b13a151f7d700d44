import { Agent, request } from "node:http";

/** One load on one address, as a process of its own: what it costs is not on the server's account. */
export interface Load {
  url: string;
  headers: Record<string, string>;
  connections: number;
  /** Ends after so many requests, */
  requests?: number;
  /** or after so many seconds. */
  seconds?: number;
  /** Requests for each second, whatever the answers take; without it, each connection asks again at once. */
  rate?: number;
}

/** What came of it. Times in milliseconds. */
export interface LoadResult {
  requests: number;
  failed: number;
  seconds: number;
  p50: number;
  p99: number;
  bytes: number;
}

/** Runs a load and prints its result as JSON. */
async function main(load: Load): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
  const times: number[] = [];
  let failed = 0;
  let bytes = 0;
  const ask = () =>
    new Promise<void>((resolve) => {
      const begun = performance.now();
      const sent = request(load.url, { agent, headers: load.headers }, (response) => {
        response.on("data", (chunk: Buffer) => (bytes += chunk.length));
        response.on("end", () => {
          times.push(performance.now() - begun);
          if (response.statusCode !== 200) failed += 1;
          resolve();
        });
      });
      sent.on("error", () => {
        failed += 1;
        resolve();
      });
      sent.end();
    });
  const begun = performance.now();
  const isOver = () =>
    load.requests === undefined ? performance.now() - begun >= load.seconds! * 1000 : asked >= load.requests;
  let asked = 0;
  if (load.rate) {
    const pending: Promise<void>[] = [];
    while (!isOver()) {
      const due = Math.floor(((performance.now() - begun) / 1000) * load.rate);
      for (; asked < due; asked++) pending.push(ask());
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await Promise.all(pending);
  } else {
    const loop = async () => {
      while (!isOver()) {
        asked += 1;
        await ask();
      }
    };
    await Promise.all(Array.from({ length: load.connections }, loop));
  }
  const seconds = (performance.now() - begun) / 1000;
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const result: LoadResult = { requests: times.length, failed, seconds, p50: at(0.5), p99: at(0.99), bytes };
  process.stdout.write(JSON.stringify(result));
  agent.destroy();
}

if (import.meta.main) await main(JSON.parse(process.env["HOMELAB_LOAD"]!) as Load);
