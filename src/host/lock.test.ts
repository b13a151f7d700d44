import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { waitUntil } from "../core/clock.ts";
import { takeLock } from "./lock.ts";

let folder: string;
let path: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hl-lock-"));
  path = join(folder, "agent.lock");
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(folder, { recursive: true });
});

/** Another process that asks for the lock, says how that went, and holds it. */
async function holder(): Promise<{ child: ChildProcess; answer: string }> {
  const script = `import { takeLock } from "./lock.ts";
    globalThis.lock = takeLock(process.argv[1]);
    console.log(globalThis.lock ? "taken" : "refused");
    setInterval(() => {}, 1000);`;
  const argv = ["--disable-warning=ExperimentalWarning", "--input-type=module-typescript", "-e", script, path];
  const child = spawn(process.execPath, argv, { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const [chunk] = (await once(child.stdout, "data")) as [Buffer];
  return { child, answer: chunk.toString().trim() };
}

test("a second process is refused for as long as the first one holds it", async () => {
  const lock = takeLock(path);
  expect(lock).toBeDefined();
  expect((await holder()).answer).toBe("refused");
  lock!.release();
  expect((await holder()).answer).toBe("taken");
});

test("the lock of a process that was killed is free at once", async () => {
  const { child, answer } = await holder();
  expect(answer).toBe("taken");
  expect(takeLock(path)).toBeUndefined();
  child.kill("SIGKILL");
  const lock = await waitUntil(async () => takeLock(path), { timeout: 10, what: "the lock is free" });
  lock.release();
});

test("a second holder within one process is refused too", () => {
  const lock = takeLock(path)!;
  expect(takeLock(path)).toBeUndefined();
  lock.release();
  takeLock(path)!.release();
});
