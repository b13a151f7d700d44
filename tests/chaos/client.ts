import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { join } from "node:path";
import type { TestHome } from "../harness/home.ts";
import type { WorkerCommand } from "./worker.ts";

/** The test's end of a worker. */
export class Worker {
  readonly #process: ChildProcess;
  readonly #lines: Interface;
  readonly #exit: Promise<[number | null, string | null]>;
  #errors = "";

  constructor(home: TestHome) {
    const script = join(import.meta.dirname, "worker.ts");
    this.#process = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script, "--home", home.root], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#process.stderr!.on("data", (chunk: Buffer) => (this.#errors += chunk.toString()));
    this.#exit = once(this.#process, "exit") as Promise<[number | null, string | null]>;
    this.#lines = createInterface({ input: this.#process.stdout! });
  }

  /** Sends a command and answers the reply. @throws when the operation failed, or the worker died */
  async ask<T>(command: WorkerCommand): Promise<T> {
    const ended = this.#exit.then(() => [undefined]);
    this.#process.stdin!.write(`${JSON.stringify(command)}\n`);
    const [line] = (await Promise.race([once(this.#lines, "line"), ended])) as [string | undefined];
    if (line === undefined) throw new Error(`the worker died: ${this.#errors}`);
    const answer = JSON.parse(line) as { error?: { code: string; message: string } };
    if (answer.error) throw new Error(`${answer.error.code}: ${answer.error.message}`);
    return answer as T;
  }

  /** Sends a command that kills the worker. Answers whether it died there, or came through because the step had no work. */
  async askToDie(command: WorkerCommand): Promise<"died" | "came through"> {
    const reply = once(this.#lines, "line");
    this.#process.stdin!.write(`${JSON.stringify(command)}\n`);
    const first = await Promise.race([
      this.#exit.then(([code, signal]) => ({ code, signal })),
      reply.then(() => "came through" as const),
    ]);
    if (first === "came through") return this.end().then(() => "came through");
    if (first.signal !== "SIGKILL") throw new Error(`the worker ended with ${first.code}: ${this.#errors}`);
    return "died";
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.stdin!.end();
    await this.#exit;
  }
}
