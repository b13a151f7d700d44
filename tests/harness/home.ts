import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { homePaths, type HomePaths } from "../../src/cluster/home.ts";
import { readAgent } from "../../src/host/agent-process.ts";
import { endProcess, findProcess, stopLeftover } from "../../src/host/processes.ts";
import { runAny, type CommandResult } from "../../src/host/run.ts";
import { readDesired } from "../../src/host/services.ts";
import { sleep } from "../../src/core/clock.ts";
import { pidsOf } from "./engines.ts";
import { freePortOffset } from "./port-offset.ts";

/** The root of this checkout. */
export const checkout = join(import.meta.dirname, "..", "..");

/** A home makes no backups by itself, unless a test asks for them: they would take its time, and the machine's. */
export const QUIET = {
  HOMELAB_DATABASE__BACKUP_SCHEDULE_FULL: "off",
  HOMELAB_DATABASE__BACKUP_SCHEDULE_DIFF: "off",
  HOMELAB_DATABASE__BACKUP_SCHEDULE_INCR: "off",
  HOMELAB_BACKUP__SCHEDULE_CHECK: "off",
  HOMELAB_BACKUP__SCHEDULE_PROOF: "off",
};

/** How a command of ours ended; `json` reads its standard output. */
export interface CliResult extends CommandResult {
  json<T>(): T;
}

/** An installation in a temporary folder, on free ports, listening on loopback alone. */
export class TestHome {
  readonly root: string;
  readonly offset: number;
  readonly paths: HomePaths;

  constructor(root: string, offset: number) {
    this.root = root;
    this.offset = offset;
    this.paths = homePaths(root);
  }

  /** A home that does not exist yet, below a folder that the engines' user may enter. */
  static async empty(): Promise<TestHome> {
    const parent = await mkdtemp(join(tmpdir(), "hl-"));
    await chmod(parent, 0o755);
    return new TestHome(join(parent, "home"), freePortOffset());
  }

  /** A home that is up. */
  static async up(): Promise<TestHome> {
    const home = await TestHome.empty();
    try {
      await home.ok("up", ...home.upFlags());
    } catch (error) {
      await home.destroy();
      throw error;
    }
    return home;
  }

  upFlags(): string[] {
    return ["--listen", "loopback", "--port-offset", String(this.offset)];
  }

  port(standard: number): number {
    return standard + this.offset;
  }

  /** Runs ./homelab for this home and answers how it ended. */
  async run(
    args: string[],
    options: { env?: Record<string, string>; input?: string; timeout?: number } = {},
  ): Promise<CliResult> {
    const env = { PATH: process.env["PATH"]!, HOME: process.env["HOME"] ?? "/", ...QUIET, ...options.env };
    const argv: [string, ...string[]] = [join(checkout, "homelab"), "--home", this.root, ...args];
    const result = await runAny({ argv, env, input: options.input, timeout: options.timeout ?? 170 });
    return { ...result, json: <T>() => JSON.parse(result.stdout) as T };
  }

  /** Runs ./homelab and throws unless it ended with 0. */
  async ok(...args: string[]): Promise<CliResult> {
    const result = await this.run(args);
    if (result.exitCode !== 0) {
      throw new Error(
        `homelab ${args.join(" ")} ended with ${result.exitCode ?? result.signal}:\n${result.stderr}${result.stdout}`,
      );
    }
    return result;
  }

  /** Makes a database and answers its URLs. */
  async createDatabase(
    name: string,
  ): Promise<{ pooled_url: string; connection_url: string; user: string; password: string }> {
    return (await this.ok("db", "create", name, "--json")).json();
  }

  /** A secret of this installation, read as the owner of the home may. */
  async secret(name: string): Promise<string> {
    return (JSON.parse(await readFile(this.paths.secrets, "utf8")) as Record<string, string>)[name]!;
  }

  /** The pid of a service, if it lives. */
  async pid(service: string): Promise<number | undefined> {
    if (service === "agent") {
      const agent = await readAgent(this.paths);
      return agent?.alive ? agent.state.identity.pid : undefined;
    }
    return (await findProcess(this.paths.run, service))?.pid;
  }

  /** Everything of this home, by its pids, in the order in which nothing starts it again. */
  async killAll(): Promise<void> {
    const now = { signal: "SIGKILL" as const, grace: 0 };
    for (const name of ["keeper", "agent"]) {
      const agent =
        name === "agent" ? (await readAgent(this.paths))?.state.identity : await findProcess(this.paths.run, name);
      if (agent) await endProcess(agent, now);
    }
    for (const spec of (await readDesired(this.paths).catch(() => undefined))?.services ?? []) {
      const found = await findProcess(this.paths.run, spec.name);
      if (found) await endProcess(found, now);
      if (spec.leaves) await stopLeftover({ ...spec.leaves, stop: { signal: "SIGQUIT", grace: 5 } });
    }
  }

  /** A power cut, as far as processes go: everything of this home at once, whether it has a pid file or not. */
  async killEverything(): Promise<void> {
    for (let found = pidsOf(this.root); found.length > 0; found = pidsOf(this.root)) {
      for (const pid of found) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It went with its parent.
        }
      }
      await sleep(20);
    }
  }

  /** Ends and removes everything. */
  async destroy(): Promise<void> {
    await this.killEverything();
    await rm(join(this.root, ".."), { recursive: true, force: true });
  }
}
