import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sampleTopology } from "../../../tests/harness/sample-topology.ts";
import { pgpassLine } from "../pgpass.ts";
import { conninfo, dumpCommand, listDumpCommand } from "./dump.ts";

const topology = sampleTopology();

/** Reads a connection string as libpq does (manual, 34.1.1.1): a later keyword wins over an earlier one. */
function parseConninfo(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  let rest = text;
  while (rest.trim() !== "") {
    const match = /^\s*([a-z_]+)\s*=\s*(?:'((?:[^'\\]|\\[^])*)'|((?:[^\s'\\]|\\[^])+))(?=\s|$)/.exec(rest);
    if (!match) throw new Error(`libpq would refuse ${rest}`);
    found[match[1]!] = (match[2] ?? match[3]!).replace(/\\([^])/g, "$1");
    rest = rest.slice(match[0].length);
  }
  return found;
}

const HOSTILE = [
  "--help",
  "-Fd",
  "=host=evil",
  "x host=evil",
  "x' host='evil",
  "x\\' host=evil",
  "postgresql://evil/x",
  "\\",
  "'",
  "",
];

describe("conninfo", () => {
  test.each(HOSTILE)("a database called %j is the value of dbname, and adds no keyword", (name) => {
    expect(parseConninfo(conninfo(topology, name))).toEqual({
      host: "/srv/homelab/run",
      port: "5431",
      user: "postgres",
      dbname: name,
      application_name: "homelab",
    });
  });

  test("any name and any user come through whole", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (database, user) => {
        expect(parseConninfo(conninfo(topology, database, user))).toMatchObject({
          dbname: database,
          user,
          host: "/srv/homelab/run",
        });
      }),
    );
  });
});

describe("the commands are data", () => {
  test.each(HOSTILE)("pg_dump of %j gets the name inside --dbname alone", (name) => {
    const [program, ...words] = dumpCommand(topology, name, "/srv/homelab/dumps/x.dump");
    expect(program).toBe("/usr/lib/postgresql/17/bin/pg_dump");
    expect(words.slice(0, 3)).toEqual(["--format=custom", "--no-password", "--file=/srv/homelab/dumps/x.dump"]);
    expect(words).toHaveLength(4);
    expect(words[3]!.startsWith("--dbname=host=")).toBe(true);
  });

  test("pg_restore only lists", () => {
    expect(listDumpCommand(topology, "/x.dump")).toEqual([
      "/usr/lib/postgresql/17/bin/pg_restore",
      "--list",
      "/x.dump",
    ]);
  });
});

test("a line of the password file gives every printable password back", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme-ascii" }), (password) => {
      const line = pgpassLine(password);
      expect(line.startsWith("*:*:*:*:")).toBe(true);
      expect(line.split("\n")).toHaveLength(2);
      const field = line.slice("*:*:*:*:".length, -1);
      expect(/(?:^|[^\\])(?:\\\\)*:/.test(field)).toBe(false);
      expect(field.replace(/\\([^])/g, "$1")).toBe(password);
    }),
  );
});
