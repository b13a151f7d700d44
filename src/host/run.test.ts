import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { waitUntil } from "../core/clock.ts";
import { readText } from "./files.ts";
import { startTicksOf } from "./processes.ts";
import { cleanEnvironment, run, runAny, spawnDetached } from "./run.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hl-run-"));
});
afterEach(() => rm(folder, { recursive: true }));

const sh = (script: string, ...words: string[]): [string, ...string[]] => ["/bin/sh", "-c", script, "sh", ...words];

describe("runAny", () => {
  test("answers output, exit code and time, whatever the end was", async () => {
    const result = await runAny({ argv: sh("echo out; echo err >&2; exit 3") });
    expect(result).toMatchObject({ exitCode: 3, signal: null, stdout: "out\n", stderr: "err\n", timedOut: false });
    expect(result.seconds).toBeGreaterThan(0);
  });

  test("hands words over as they are: no shell reads them", async () => {
    const words = ["a b", "$HOME", "`id`", "; exit 1", "*", "'", '"', "\n", "--help", ""];
    const { stdout } = await runAny({ argv: sh('printf "%s|" "$@"', ...words) });
    expect(stdout).toBe(words.map((word) => `${word}|`).join(""));
  });

  test("gives an environment of our own, and no variable of the caller", async () => {
    process.env["HOMELAB_TEST_CANARY"] = "canary";
    try {
      const { stdout } = await runAny({ argv: ["/usr/bin/env"] });
      expect(stdout).not.toContain("canary");
      expect(
        stdout
          .trim()
          .split("\n")
          .map((line) => line.split("=")[0]!)
          .filter((name) => name !== "PWD")
          .toSorted(),
      ).toEqual(Object.keys(cleanEnvironment()).toSorted());
    } finally {
      delete process.env["HOMELAB_TEST_CANARY"];
    }
  });

  test("writes input and closes it, also to a program that does not read", async () => {
    expect((await runAny({ argv: ["/bin/cat"], input: "all of it" })).stdout).toBe("all of it");
    expect((await runAny({ argv: ["/bin/true"], input: "x".repeat(1_000_000) })).exitCode).toBe(0);
  });

  test("waits for nobody's terminal when there is no input", async () => {
    expect((await runAny({ argv: ["/bin/cat"], timeout: 5 })).timedOut).toBe(false);
  });

  test("hands over each line of standard error as it comes, and no half of one", async () => {
    const lines: string[] = [];
    await runAny({
      argv: sh("printf 'one\\ntw' >&2; sleep 0.05; printf 'o\\nrest' >&2"),
      onErrorLine: (line) => lines.push(line),
    });
    expect(lines).toEqual(["one", "two"]);
  });

  test("writes standard output into a closed file where that is asked", async () => {
    const outputFile = join(folder, "out");
    const { stdout } = await runAny({ argv: ["/bin/echo", "data"], outputFile });
    expect([stdout, await readFile(outputFile, "utf8"), (await stat(outputFile)).mode & 0o777]).toEqual([
      "",
      "data\n",
      0o600,
    ]);
  });
});

describe("a timeout", () => {
  /** A child that starts a grandchild, which notes its pid and would hold the pipes for a minute. */
  const family = () => sh('sh -c \'echo $$ > "$0"; exec sleep 60\' "$1" & wait', join(folder, "grandchild"));
  const grandchild = () =>
    waitUntil(async () => Number(await readText(join(folder, "grandchild"))) || undefined, {
      timeout: 10,
      what: "it began",
    });

  test("ends the grandchild too, and answers at once", async () => {
    const begun = performance.now();
    const running = runAny({ argv: family(), timeout: 2 });
    const pid = await grandchild();
    expect(startTicksOf(pid)).toBeDefined();
    expect(await running).toMatchObject({ timedOut: true, exitCode: null, signal: "SIGKILL" });
    expect(performance.now() - begun).toBeLessThan(8000);
    await waitUntil(async () => startTicksOf(pid) === undefined, { timeout: 5, what: "the grandchild is gone" });
  });

  test("is what a caller that gives up does as well", async () => {
    const caller = new AbortController();
    const running = runAny({ argv: family(), signal: caller.signal });
    const pid = await grandchild();
    caller.abort();
    expect(await running).toMatchObject({ timedOut: false, signal: "SIGKILL" });
    await waitUntil(async () => startTicksOf(pid) === undefined, { timeout: 5, what: "the grandchild is gone" });
  });

  test("lets nothing run for a caller that has given up already", async () => {
    const begun = performance.now();
    const result = await runAny({ argv: ["/bin/sleep", "30"], signal: AbortSignal.abort() });
    expect(result.signal).toBe("SIGKILL");
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  test("says in the error how long it was", async () => {
    await expect(run({ argv: ["/bin/sleep", "30"], timeout: 0.6 })).rejects.toMatchObject({
      code: "process_failed",
      message: expect.stringMatching(/^\/bin\/sleep was ended after [1-9] s$/) as string,
    });
  });
});

describe("a program that leaves a grandchild with its pipes", () => {
  test("is over when it ends itself, not when the grandchild does", async () => {
    const begun = performance.now();
    const { stdout } = await runAny({ argv: sh("sleep 4 & echo done") });
    expect(stdout).toBe("done\n");
    expect(performance.now() - begun).toBeLessThan(3500);
  });
});

describe("run", () => {
  test("carries the last lines in the error, and not the whole output", async () => {
    const script = 'for i in 1 2 3 4 5 6; do echo "line $i" >&2; done; exit 4';
    await expect(run({ argv: sh(script) })).rejects.toMatchObject({
      code: "process_failed",
      message: "/bin/sh ended with 4: line 3\nline 4\nline 5\nline 6",
    });
  });

  test("takes standard output's words where standard error has none", async () => {
    await expect(run({ argv: sh("echo why; exit 1") })).rejects.toThrow("/bin/sh ended with 1: why");
  });

  test("names the signal", async () => {
    await expect(run({ argv: sh("kill -TERM $$") })).rejects.toThrow(/^\/bin\/sh was ended by SIGTERM$/);
  });

  test("says in a sentence that a program is not installed", async () => {
    await expect(run({ argv: ["homelab-no-such-program"] })).rejects.toMatchObject({
      code: "process_failed",
      message: "homelab-no-such-program is not installed",
    });
  });

  test("says in a sentence that a file is no program", async () => {
    await expect(run({ argv: [folder] })).rejects.toThrow(/cannot be started: .*EACCES/);
  });
});

describe("spawnDetached", () => {
  test("answers the pid of a process in a group of its own, whose words go to a closed log", async () => {
    const log = join(folder, "x.log");
    let how = "";
    const pid = await spawnDetached({
      argv: sh("echo $$; ps -o pgid= -p $$; sleep 0.2; exit 5"),
      log,
      onExit: (says) => (how = says),
    });
    await waitUntil(async () => how !== "", { timeout: 10, what: "it ended" });
    expect(how).toBe("ended with 5");
    expect((await readFile(log, "utf8")).split("\n").slice(0, 1)).toEqual([String(pid)]);
    expect((await stat(log)).mode & 0o777).toBe(0o600);
  });

  test("appends to its log", async () => {
    const log = join(folder, "x.log");
    for (const word of ["one", "two"]) {
      let over = false;
      await spawnDetached({ argv: ["/bin/echo", word], log, onExit: () => (over = true) });
      await waitUntil(async () => over, { timeout: 10, what: "it ended" });
    }
    expect(await readFile(log, "utf8")).toBe("one\ntwo\n");
  });

  test("says that a program cannot be started", async () => {
    await expect(spawnDetached({ argv: ["/no/such"], log: join(folder, "x.log") })).rejects.toMatchObject({
      code: "process_failed",
      message: expect.stringContaining("/no/such cannot be started") as string,
    });
  });
});
