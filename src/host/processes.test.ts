import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { waitUntil } from "../core/clock.ts";
import { exists, modeOf, writeAtomic } from "./files.ts";
import {
  commandOf,
  currentBootId,
  endProcess,
  findProcess,
  identify,
  isAlive,
  pidFile,
  signalProcess,
  startProcess,
  startTicksOf,
  stopLeftover,
  stopProcess,
  wasStopped,
  type ProcessIdentity,
} from "./processes.ts";
import { staleFiles } from "./services.ts";

let folder: string;
const started: ProcessIdentity[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hl-processes-"));
});
afterEach(async () => {
  for (const identity of started.splice(0)) await endProcess(identity, { signal: "SIGKILL", grace: 1 });
  await rm(folder, { recursive: true });
});

const folders = () => ({ run: folder, logs: folder });
async function start(
  argv: [string, ...string[]] = ["/bin/sleep", "60"],
  files: string[] = [],
): Promise<ProcessIdentity> {
  const identity = await startProcess(folders(), { name: "service", argv, env: { PATH: "/bin:/usr/bin" }, files });
  started.push(identity);
  return identity;
}

describe("the identity of a process", () => {
  test("is found of a live one, and holds for as long as it lives", async () => {
    const identity = await start();
    expect(identify(identity.pid)).toMatchObject({
      pid: identity.pid,
      startTicks: identity.startTicks,
      bootId: currentBootId(),
    });
    expect(isAlive(identity)).toBe(true);
    await endProcess(identity, { signal: "SIGKILL", grace: 1 });
    expect(isAlive(identity)).toBe(false);
  });

  test("is not fooled by another process that got the same pid", async () => {
    const identity = await start();
    expect(isAlive({ ...identity, startTicks: String(Number(identity.startTicks) - 1) })).toBe(false);
  });

  test("is not fooled by the same pid and ticks of another boot", async () => {
    const identity = await start();
    expect(isAlive({ ...identity, bootId: "00000000-0000-0000-0000-000000000000" })).toBe(false);
  });

  test("is read rightly of a program whose name holds spaces and brackets", async () => {
    const program = join(folder, "a) S 1 (b");
    await writeFile(program, "#!/bin/sh\nwhile :; do sleep 0.05; done\n", { mode: 0o755 });
    const identity = await start([program]);
    expect(identity.startTicks).toMatch(/^\d+$/);
    expect(isAlive(identity)).toBe(true);
  });

  test("is none of a pid that nobody has, nor of a zombie", async () => {
    expect([identify(4_194_304), startTicksOf(4_194_304)]).toEqual([undefined, undefined]);
    // The shell starts a child, and becomes a program that never collects it.
    const parent = spawn("/bin/sh", ["-c", "sleep 0.5 & echo $!; exec sleep 60"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      const pid = await new Promise<number>((resolve) => parent.stdout.once("data", (chunk) => resolve(Number(chunk))));
      await waitUntil(async () => (await readFile(`/proc/${pid}/stat`, "utf8")).includes(") Z "), {
        timeout: 10,
        what: "a zombie",
      });
      expect([identify(pid), startTicksOf(pid)]).toEqual([undefined, undefined]);
    } finally {
      parent.kill("SIGKILL");
    }
  });
});

describe("a service", () => {
  test("is found again by its pid file, which is closed to others", async () => {
    const identity = await start();
    expect(await findProcess(folder, "service")).toEqual(identity);
    expect(await modeOf(pidFile(folder, "service"))).toBe(0o600);
    expect(commandOf(identity.pid)).toBe("/bin/sleep 60");
  });

  test("is not found behind the pid file of a dead one, a broken one, or none", async () => {
    expect(await findProcess(folder, "service")).toBeUndefined();
    await writeAtomic(pidFile(folder, "service"), "{");
    expect(await findProcess(folder, "service")).toBeUndefined();
    const self = identify(process.pid)!;
    await writeAtomic(pidFile(folder, "service"), JSON.stringify({ ...self, startTicks: "1" }));
    expect(await findProcess(folder, "service")).toBeUndefined();
    expect(await signalProcess(folder, "service", "SIGKILL")).toBe(false);
  });

  test("notes which files it read, so that a later change shows", async () => {
    const config = join(folder, "service.conf");
    await writeFile(config, "a = 1");
    await start(["/bin/sleep", "60"], [config]);
    const spec = { name: "service", files: [config] };
    expect(await staleFiles(folder, spec)).toEqual([]);
    await writeFile(config, "a = 2");
    expect(await staleFiles(folder, spec)).toEqual([config]);
    await rm(config);
    expect(await staleFiles(folder, spec)).toEqual([config]);
  });

  test("that was asked to end is gone at once, and it is known that this was meant", async () => {
    const identity = await start();
    await stopProcess(folder, "service", { signal: "SIGTERM", grace: 10 });
    expect(isAlive(identity)).toBe(false);
    expect(await wasStopped(folder, "service", identity.pid)).toBe(true);
    expect(await wasStopped(folder, "service", identity.pid + 1)).toBe(false);
  });

  test("that died by itself was not stopped", async () => {
    const identity = await start();
    process.kill(identity.pid, "SIGKILL");
    await waitUntil(async () => !isAlive(identity), { timeout: 10, what: "it is dead" });
    expect(await wasStopped(folder, "service", identity.pid)).toBe(false);
  });

  test("that does not listen is killed when its grace is over", async () => {
    const ready = join(folder, "ready");
    const identity = await start(["/bin/sh", "-c", 'trap "" TERM; : > "$0"; while :; do sleep 0.05; done', ready]);
    await waitUntil(() => exists(ready), { timeout: 10, what: "it listens to nothing" });
    const begun = performance.now();
    await stopProcess(folder, "service", { signal: "SIGTERM", grace: 0.3 });
    expect(isAlive(identity)).toBe(false);
    expect(performance.now() - begun).toBeGreaterThan(290);
  });

  test("that is not there is stopped already", async () => {
    await expect(stopProcess(folder, "service", { signal: "SIGTERM", grace: 1 })).resolves.toBeUndefined();
  });
});

describe("what a killed service left behind", () => {
  const stop = { signal: "SIGTERM" as const, grace: 5 };

  test("is ended when it is a PostgreSQL", async () => {
    const pidFileOf = join(folder, "postmaster.pid");
    const identity = await start(["/bin/sh", "-c", "while :; do sleep 0.05; done", "postgres"]);
    await writeFile(pidFileOf, `${identity.pid}\n/data\n`);
    await stopLeftover({ pidFile: pidFileOf, stop });
    expect(isAlive(identity)).toBe(false);
  });

  test("is left alone when its pid is another program's by now", async () => {
    const identity = await start();
    await writeFile(join(folder, "other.pid"), `${identity.pid}\n`);
    await stopLeftover({ pidFile: join(folder, "other.pid"), stop });
    expect(isAlive(identity)).toBe(true);
  });

  test.each([undefined, "", "-1\n", "0\n", "x\n"])("is nothing when the file says %j", async (text) => {
    const path = join(folder, "odd.pid");
    if (text !== undefined) await writeFile(path, text);
    await expect(stopLeftover({ pidFile: path, stop })).resolves.toBeUndefined();
  });
});
