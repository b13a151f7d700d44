import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { registry } from "../operations/registry.ts";
import { makeProgram, shareOptions } from "./program.ts";

/** The program with every action replaced, so that what was read can be looked at. */
function program(): { parse(words: string[]): { command: string; flags: Record<string, unknown> } } {
  const root = makeProgram("1.2.3");
  let read: { command: string; flags: Record<string, unknown> } | undefined;
  const replace = (command: Command, path: string): void => {
    for (const child of command.commands) {
      const at = `${path} ${child.name()}`.trim();
      if (child.commands.length === 0)
        child.action(
          (...words: unknown[]) => void (read = { command: at, flags: (words.at(-1) as Command).optsWithGlobals() }),
        );
      replace(child, at);
    }
  };
  replace(root, "");
  shareOptions(root);
  const quiet = (command: Command): void => {
    command.configureOutput({ writeOut: () => {}, writeErr: () => {} });
    command.commands.forEach(quiet);
  };
  quiet(root);
  return { parse: (words) => (root.parse(words, { from: "user" }), read!) };
}

function everyCommand(command: Command = makeProgram("0"), path = ""): [string, Command][] {
  return command.commands.flatMap((child): [string, Command][] => {
    const at = `${path} ${child.name()}`.trim();
    return [[at, child], ...everyCommand(child, at)];
  });
}

describe("the command line", () => {
  test("has the command that each operation of the registry names", () => {
    const commands = everyCommand().map(([path]) => path);
    expect(registry.filter(({ command }) => !commands.includes(command)).map(({ name }) => name)).toEqual([]);
  });

  test.each(everyCommand())("describes %s in words", (_path, command) => {
    if (!(command as unknown as { _hidden: boolean })._hidden) expect(command.description().length).toBeGreaterThan(5);
  });

  test.each([[["db", "list", "--json"]], [["--json", "db", "list"]], [["db", "--json", "list"]]])(
    "takes our flags anywhere: %j",
    (words) => {
      expect(program().parse(words)).toMatchObject({ command: "db list", flags: { json: true } });
    },
  );

  test("refuses a flag that no command knows, and a number that is none", () => {
    expect(() => program().parse(["db", "list", "--jsn"])).toThrow(/unknown option/);
    expect(() => program().parse(["up", "--port-offset", "many"])).toThrow(/expected a whole number/);
  });

  test("collects what may be repeated", () => {
    expect(
      program().parse(["db", "create", "x", "--extension", "vector,bloom", "--extension", "xml2"]).flags["extension"],
    ).toEqual(["vector", "bloom", "xml2"]);
  });
});
