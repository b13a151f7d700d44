import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { readSources, type SourceFile } from "../../scripts/check-imports.ts";
import { checkout } from "../harness/home.ts";

let sources: SourceFile[];
beforeAll(async () => {
  sources = await readSources(join(checkout, "src"));
});

/** The code of a file, line by line, with what only comments say taken out. */
const codeLines = ({ text }: SourceFile): string[] =>
  text
    .replace(/\/\*[^]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "))
    .split("\n")
    .map((line) => line.replace(/^\s*\/\/.*$/, ""));

/** The places where a pattern stands in the code, as `folder/file.ts: the line`. */
const places = (pattern: RegExp, exempt: string[] = [], among = sources): string[] =>
  among
    .filter(({ path }) => !exempt.includes(path))
    .flatMap((file) =>
      codeLines(file)
        .filter((line) => pattern.test(line))
        .map((line) => `${file.path}: ${line.trim()}`),
    );

const OBJECTS =
  "ROLE|USER|DATABASE|SCHEMA|TABLE|EXTENSION|FUNCTION|DEFAULT PRIVILEGES|OWNED|VIEW|SEQUENCE|POLICY|SYSTEM";
const DDL = new RegExp(
  [
    `\\b(CREATE( OR REPLACE)?|ALTER|DROP)\\s+(${OBJECTS})\\b`,
    `\\bCOMMENT ON\\b`,
    `\\b(GRANT|REVOKE)\\s+(\\$\\{|"|[A-Z ]+\\bON\\b|pg_)`,
    `\\bSECURITY LABEL\\b`,
  ].join("|"),
);

describe("statements that change roles or databases", () => {
  /**
   * A hint that names the words for a person to type, the tables of our own SQLite files, the table of marks, and the
   * platform database's schema: constant texts, with nobody's name in them.
   */
  const constant = [
    "journal/schema.ts: ",
    "store/spool.ts: ",
    "store/migrations/",
    "store/migrate.ts: ",
    "engines/postgres/marks.ts: ",
  ];
  const elsewhere = (line: string): boolean =>
    [...constant, "engines/postgres/extensions.ts: hint: "].some((place) => line.startsWith(place));

  test("are built in one file alone (S01)", () => {
    expect(places(DDL, ["engines/postgres/ddl.ts"]).filter((line) => !elsewhere(line))).toEqual([]);
  });

  test("would be found anywhere else: the search knows each one of that file", () => {
    const [ddl] = sources.filter(({ path }) => path === "engines/postgres/ddl.ts");
    const statements = ddl!.text.match(/[`"](CREATE|ALTER|DROP|GRANT|REVOKE|COMMENT)\b[^`"]*/g)!;
    expect(statements.length).toBeGreaterThan(20);
    for (const text of statements) expect(places(DDL, [], [{ path: "x.ts", text }])).toHaveLength(1);
  });
});

describe("programs", () => {
  test("are started in one file alone (S02)", () => {
    expect(places(/node:child_process/)).toEqual([expect.stringMatching(/^host\/run\.ts: import \{ spawn\b/)]);
  });

  test("are never handed to a shell (S02)", () => {
    expect(places(/\b(execSync|execFileSync|spawnSync|execFile)\b|shell:\s*(true|["'`])|(?<![.\w])exec\(/)).toEqual([]);
    expect(places(/["'](\/bin\/)?(ba)?sh["'],\s*["']-l?c["']/)).toEqual([]);
  });

  test("are found by the search where they are", () => {
    const text =
      'import { execSync } from "node:child_process";\nexec("ls");\nspawn("ls", { shell: true });\nrun(["sh", "-c", x]);';
    const file = [{ path: "x.ts", text }];
    expect(places(/\bexecSync\b|shell:\s*true|(?<![.\w])exec\(/, [], file)).toHaveLength(3);
    expect(places(/["'](\/bin\/)?(ba)?sh["'],\s*["']-l?c["']/, [], file)).toHaveLength(1);
  });
});

describe("code that makes code", () => {
  test("is not there: no eval, no Function from text", () => {
    expect(places(/\beval\(|new Function\(|\bvm\./)).toEqual([]);
  });
});
