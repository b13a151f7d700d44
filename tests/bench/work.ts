import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** What a piece of work took there, in milliseconds, and what each step of it did. */
export interface Measured {
  ms: number;
  steps: Record<string, number>;
}

/** Our side of a row: worker.ts, asked for one piece of work at a time. */
export class Worker {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(root: string): Promise<Worker> {
    const child = fork(join(import.meta.dirname, "worker.ts"), [root], {
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    await Promise.race([
      once(child, "message"),
      once(child, "exit").then(() => Promise.reject(new Error("the worker ended before it was ready"))),
    ]);
    return new Worker(child);
  }

  async measure(work: "create" | "list", argument = ""): Promise<Measured> {
    this.#child.send({ work, argument });
    const [answer] = (await once(this.#child, "message")) as [Measured | { error: string }];
    if ("error" in answer) throw new Error(`${work} ${argument}: ${answer.error}`);
    return answer;
  }

  end(): void {
    this.#child.disconnect();
  }
}
