import { spawn } from "node:child_process";
import { cleanEnvironment } from "../../src/host/run.ts";
import type { Owner } from "./home.ts";

/** Runs a program as the engines' user. @throws Error with what it wrote, unless it ended with 0 */
export function runAsOwner(
  { uid, gid }: Owner,
  argv: readonly [string, ...string[]],
  options: { env?: Record<string, string>; input?: string } = {},
): Promise<void> {
  const [program, ...words] = argv;
  return new Promise((resolve, reject) => {
    const env = cleanEnvironment(options.env);
    // What it leaves running may keep its output open, so its end is what counts.
    const child = spawn(program, words, { uid, gid, cwd: "/", env, stdio: ["pipe", "ignore", "pipe"] });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (errors += chunk));
    child.stdin.on("error", () => {}).end(options.input);
    child.once("error", reject);
    child.once("exit", (code) => {
      child.stderr.destroy();
      if (code === 0) resolve();
      else reject(new Error(`${program} ended with ${code}: ${errors.trim().slice(-500)}`));
    });
  });
}
