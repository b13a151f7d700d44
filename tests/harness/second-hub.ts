import { spawn, type ChildProcess } from "node:child_process";
import { statSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { waitUntil } from "../../src/core/clock.ts";
import { readAgent } from "../../src/host/agent-process.ts";
import { listeners } from "../../src/host/ports.ts";
import type { TestHome } from "./home.ts";

/** What a hub answered. */
export interface Answer {
  status: number;
  body: Record<string, unknown>;
}

/** A hub by its port, as its admin asks it. */
export class HubClient {
  readonly port: number;
  readonly #key: string;

  constructor(port: number, key: string) {
    this.port = port;
    this.#key = key;
  }

  ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const all = { "x-api-key": this.#key, ...(text ? { "content-type": "application/json" } : {}), ...headers };
    return new Promise((resolve, reject) => {
      const sent = request(
        { host: "127.0.0.1", port: this.port, method, path, headers: all, timeout: 60_000 },
        (response) => {
          let answer = "";
          response.on("data", (chunk: Buffer) => (answer += chunk.toString())).on("error", reject);
          response.on("end", () => {
            const parsed = answer ? (JSON.parse(answer) as Record<string, unknown>) : {};
            resolve({ status: response.statusCode!, body: parsed });
          });
        },
      );
      sent.on("timeout", () => sent.destroy(new Error("no answer"))).on("error", reject);
      sent.end(text);
    });
  }
}

/** A second hub on a home, as another node would have one: with a journal and a lock of its own. */
export class SecondHub extends HubClient {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number, key: string) {
    super(port, key);
    this.#child = child;
  }

  static async start(home: TestHome): Promise<SecondHub> {
    const folder = join(home.paths.app, (await readAgent(home.paths))!.state.build);
    const { uid, gid } = statSync(home.root);
    const asOwner = process.getuid!() === 0 ? { uid, gid } : {};
    const [port, peerPort] = [freePort(home.port(5100)), freePort(home.port(5500))];
    const words = ["--home", home.root, "--instance", "b", "--port", String(port), "--peer-port", String(peerPort)];
    const child = spawn(
      join(folder, "node"),
      ["--disable-warning=ExperimentalWarning", join(folder, "hub.js"), ...words],
      {
        ...asOwner,
        env: { PATH: process.env["PATH"]! },
        cwd: "/",
        stdio: ["ignore", "ignore", "inherit"],
      },
    );
    const hub = new SecondHub(child, port, await home.secret("dashboard_api_key"));
    const answers = async () => (await hub.ask("GET", "/healthz").catch(() => undefined))?.status === 200;
    await waitUntil(answers, { timeout: 20, what: "the second hub answers" });
    return hub;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await ended;
  }
}

function freePort(from: number): number {
  const taken = new Set(listeners().map(({ port }) => port));
  let port = from;
  while (taken.has(port)) port += 1;
  return port;
}

/** Which hub leads, as one of them sees it. */
export async function leads(hub: HubClient): Promise<boolean> {
  const { body } = await hub.ask("GET", "/api/hubs");
  return (body as { leads: boolean }).leads;
}
