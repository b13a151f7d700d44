import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkout } from "../harness/home.ts";

/** What is loaded with a file: everything that it, and what it imports, imports as more than a type and not on demand. */
function loadedWith(...entries: string[]): { files: Set<string>; others: Set<string> } {
  const files = new Set<string>();
  const others = new Set<string>();
  const visit = (path: string): void => {
    if (files.has(path)) return;
    files.add(path);
    const text = readFileSync(path, "utf8");
    for (const [, name] of text.matchAll(/^(?:import|export)\s(?!type\b)(?:[^;"]*?\sfrom\s+)?"([^"]+)"/gm))
      if (name!.startsWith(".")) visit(join(dirname(path), name!));
      else others.add(name!);
  };
  for (const entry of entries) visit(join(checkout, "src", entry));
  return { files, others };
}

/** A command may take 120 ms in all, and Node's own start is a third of that. */
describe("what a command loads", () => {
  test("homelab --version loads the words of the commands and nothing that one of them needs", () => {
    const { files, others } = loadedWith("cli/main.ts");
    expect([...others].filter((name) => !name.startsWith("node:"))).toEqual(["commander"]);
    expect(files.size).toBeLessThan(15);
  });

  test("homelab db list loads no package at all, and no module of Node that brings others with it", () => {
    const { files, others } = loadedWith("cli/context.ts", "cli/api/node.ts", "cli/commands/db.ts");
    expect([...others].filter((name) => !name.startsWith("node:"))).toEqual([]);
    for (const heavy of ["node:http", "node:https", "node:crypto", "node:stream"]) expect(others).not.toContain(heavy);
    expect(
      [...files].filter((path) => /\/src\/(engines|operations|reports|site|journal|api|hub)\//.test(path)),
    ).toEqual([]);
  });

  test("the search finds what is loaded", () => {
    expect(loadedWith("hub/in-process.ts").others).toContain("fastify");
    expect(loadedWith("cli/commands/op.ts").others).toContain("node:crypto");
  });
});
