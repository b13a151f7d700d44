import { spawn, type ChildProcess } from "node:child_process";
import { cleanEnvironment } from "../../src/host/run.ts";
import type { Owner } from "./home.ts";

/** One psql session that stays open: the bare tool beside which our statements are measured. */
export class Psql {
  readonly #child: ChildProcess;
  #output = "";
  #errors = "";
  #count = 0;
  #waiting: (() => void) | undefined;

  constructor(conninfo: string, options: Owner & { env?: Record<string, string> }) {
    const { uid, gid, env } = options;
    this.#child = spawn("psql", ["-XqAt", "-v", "ON_ERROR_STOP=1", conninfo], {
      cwd: "/",
      uid,
      gid,
      env: cleanEnvironment(env),
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child.stdout!.setEncoding("utf8").on("data", (chunk: string) => ((this.#output += chunk), this.#waiting?.()));
    this.#child.stderr!.setEncoding("utf8").on("data", (chunk: string) => (this.#errors += chunk));
    this.#child.once("close", () => this.#waiting?.());
    this.#child.stdin!.on("error", () => {});
  }

  /** Runs statements and psql's own commands, and answers what they printed once the last one is done. */
  run(sql: string): Promise<string> {
    const mark = `-- done ${++this.#count}`;
    return new Promise((resolve, reject) => {
      this.#waiting = () => {
        const end = this.#output.indexOf(`${mark}\n`);
        if (end >= 0) {
          const text = this.#output.slice(0, end).trim();
          this.#output = "";
          this.#waiting = undefined;
          resolve(text);
        } else if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
          reject(new Error(`psql ended: ${this.#errors.trim().slice(-500)}`));
        }
      };
      this.#child.stdin!.write(`${sql}\n\\echo '${mark}'\n`);
    });
  }

  /** Ends the session. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdin!.end("\\q\n");
    await closed;
  }
}
