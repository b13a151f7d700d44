import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runAny } from "../../src/host/run.ts";
import { checkout, QUIET, TestHome } from "../harness/home.ts";

/** A block of commands of a page, and what the page says that they print. */
interface Block {
  commands: { line: string; exit: number }[];
  expected: string[];
}

const BLOCKS = /^```sh\n(.*?)^```\n(?:\s*^```text\n(.*?)^```\n)?/gms;

/** The commands of a page in order; `# exit 7` at the end of a line says how it has to end. */
function blocksOf(page: string): Block[] {
  return [...page.matchAll(BLOCKS)].map(([, commands, expected]) => ({
    commands: commands!
      .replaceAll("\\\n", " ")
      .split("\n")
      .filter((line) => line.trim() && !line.startsWith("#"))
      .map((line) => ({ line, exit: Number(/# exit (\d+)$/.exec(line)?.[1] ?? 0) })),
    expected: (expected ?? "").split("\n").filter((line) => line.trim() && line.trim() !== "…"),
  }));
}

/** A line of a page as a pattern: `…` stands for what differs from time to time, a gap for any gap. */
function pattern(line: string): RegExp {
  const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s+/g, "\\s+");
  return new RegExp(`^\\s*${line.trim().split("…").map(literal).join(".*")}\\s*$`);
}

/** The first of the lines that a page promises and that is not printed, in the page's order. */
function missingLine(expected: string[], printed: string[]): string | undefined {
  let from = 0;
  return expected.find((line) => {
    const at = printed.findIndex((text, i) => i >= from && pattern(line).test(text));
    from = at + 1;
    return at === -1;
  });
}

/** Runs a command on a terminal of its own, as a reader would: tables and colours depend on it. */
const TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

const DEFAULT_PORTS = [5431, 5432, 5433, 6432, 6433, 8008, 2379, 2380, 7000, 5000, 5443];

/** `export NAME=…`: a reader's shell keeps it for the lines that follow. */
const EXPORT = /^export ([A-Z_]+)=/;

/** Stands between what a line printed and the value of the variable that it exported. */
const VALUE = "\u001e";

/**
 * Runs a line of a page for a home, and answers what it printed as if the home were a machine's own. `exported` is what
 * the page's lines have exported so far; one that exports more adds to it.
 */
async function runLine(
  home: TestHome,
  line: string,
  exported: Record<string, string>,
): Promise<{ exit: number | null; printed: string[] }> {
  const env = {
    ...QUIET,
    ...exported,
    PATH: process.env["PATH"]!,
    HOME: process.env["HOME"] ?? "/",
    TERM: "xterm",
    LANG: "C.UTF-8",
    NO_COLOR: "1",
    PAGER: "cat",
    HOMELAB_HOME: home.root,
    HOMELAB_NETWORK__LISTEN: "loopback",
    HOMELAB_NETWORK__PORT_OFFSET: String(home.offset),
  };
  const name = EXPORT.exec(line)?.[1];
  const typed = line.replaceAll("localhost:5000", `localhost:${home.port(5000)}`);
  const script = name ? `${typed}\nprintf '${VALUE}%s' "$${name}"` : typed;
  const argv = ["python3", "-c", TERMINAL, "/bin/sh", "-c", script] as const;
  const { exitCode, stdout } = await runAny({ argv, env, cwd: checkout, timeout: 60 });
  const [said = "", value = ""] = stdout.split(VALUE);
  if (name) {
    // The shell answers 0 whatever the command inside did.
    expect(value, `${line}\n${said}`).not.toBe("");
    exported[name] = value;
  }
  let text = stripVTControlCharacters(said);
  for (const port of DEFAULT_PORTS) text = text.replaceAll(String(home.port(port)), String(port));
  for (const encode of [String, encodeURIComponent])
    text = text.replaceAll(encode(home.root), encode("/var/lib/homelab"));
  return { exit: exitCode, printed: text.split(/[\r\n]+/) };
}

async function follow(home: TestHome, page: string): Promise<void> {
  const blocks = blocksOf(await readFile(join(checkout, page), "utf8"));
  expect(blocks.length).toBeGreaterThan(0);
  const exported: Record<string, string> = {};
  for (const { commands, expected } of blocks) {
    const printed: string[] = [];
    for (const { line, exit } of commands) {
      const result = await runLine(home, line, exported);
      expect(result.exit, `${line}\n${result.printed.join("\n")}`).toBe(exit);
      printed.push(...result.printed);
    }
    expect(missingLine(expected, printed), printed.join("\n")).toBeUndefined();
  }
}

describe("the documentation's commands do what it says", () => {
  let first: TestHome;
  let second: TestHome;
  beforeAll(async () => {
    first = await TestHome.empty();
    second = await TestHome.empty();
  });
  afterAll(async () => {
    await first?.destroy();
    await second?.destroy();
  });

  test("the README", () => follow(first, "README.md"));

  // One home for the whole guide: its pages build on one another.
  test.each([
    "getting-started",
    "databases",
    "operating",
    "backups",
    "dumps-and-branches",
    "restoring",
    "api",
    "users-and-keys",
    "troubleshooting",
  ])("the guide: %s", (page) => follow(second, `docs/guide/${page}.md`));
});
