import { describe, expect, test } from "vitest";
import type { DatabaseRow } from "../../engines/postgres/databases.ts";
import type { Site } from "../../site/site.ts";
import { homePaths } from "../../cluster/home.ts";
import { runAny } from "../../host/run.ts";
import type { Context } from "../context.ts";
import { makeProgram, shareOptions } from "../program.ts";
import { complete, completion } from "./completion.ts";

const DATABASES = ["shop", "blog-2", "$(touch x)", "a b", "`id`", "x;y", "-rf", "line\nline"];

/** A context whose server has these databases, as its catalog would answer. */
function contextOf(databases: string[]): { context: Context; lines: string[] } {
  const lines: string[] = [];
  const rows = databases.map((name, i) => ({
    name,
    oid: String(i),
    owner: "x",
    connections: 0,
    allows: true,
    connection_limit: -1,
    is_template: false,
  }));
  const session = { query: async (sql: string) => (sql.includes("pg_database") ? rows : ([] as DatabaseRow[])) };
  const site = { topology: { paths: homePaths("/nowhere") }, postgres: async () => ({ monitor: async () => session }) };
  const out = { isTerminal: false, line: (text: string) => void lines.push(text), json: () => {}, note: () => {} };
  return { context: { out, flags: {}, site: async () => site as unknown as Site } as unknown as Context, lines };
}

async function suggestions(words: string[], databases = DATABASES): Promise<string[]> {
  const program = makeProgram("0.0.0");
  shareOptions(program);
  const { context, lines } = contextOf(databases);
  await complete(program)(context, words);
  return lines;
}

describe("what can follow", () => {
  test("nothing yet, are the commands and the flags", async () => {
    const words = await suggestions([]);
    for (const word of ["up", "down", "db", "status", "logs", "--json", "--home"]) expect(words).toContain(word);
  });

  test("what is for the program itself is not offered", async () => {
    const words = await suggestions([]);
    expect(words).not.toContain("complete");
    expect(words).not.toContain("install-packages");
  });

  test("a noun, are its verbs", async () => {
    expect((await suggestions(["db"])).filter((word) => !word.startsWith("-"))).toEqual(
      expect.arrayContaining(["create", "list", "show", "url", "delete", "undelete", "rotate"]),
    );
  });

  test("flags between the words do not get in the way", async () => {
    expect(await suggestions(["--json", "db", "--yes"])).toContain("create");
  });

  test("a verb that takes a database, are the databases and the verb's flags", async () => {
    const words = await suggestions(["db", "url"]);
    for (const word of ["shop", "blog-2", "--pooled", "--direct"]) expect(words).toContain(word);
  });

  test("create, is no database: there a new name is wanted", async () => {
    expect(await suggestions(["db", "create"])).not.toContain("shop");
  });

  test("is no name that a shell would read as something else", async () => {
    const words = await suggestions(["db", "show"]);
    for (const hostile of DATABASES.slice(2)) expect(words).not.toContain(hostile);
    expect(words.every((word) => /^[\w.-]+$/.test(word))).toBe(true);
  });
});

describe("the scripts", () => {
  const script = async (shell: string): Promise<string> => {
    const { context, lines } = contextOf([]);
    await completion(context, shell);
    return lines.join("\n");
  };

  test.each(["bash", "zsh", "fish"])("for %s ask the program itself", async (shell) => {
    expect(await script(shell)).toContain("homelab complete -- ");
  });

  test("for bash can be read by it", async () => {
    const { exitCode, stderr } = await runAny({ argv: ["/bin/bash", "-n"], input: await script("bash") });
    expect([exitCode, stderr]).toEqual([0, ""]);
  });

  test.each(["powershell", "", "toString", "__proto__"])(
    "for %j there is none, and the error says which there are",
    async (shell) => {
      await expect(script(shell)).rejects.toMatchObject({ code: "usage", hint: "There is one for bash, zsh, fish." });
    },
  );
});
