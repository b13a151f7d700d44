import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as ddl from "./ddl.ts";

/** PostgreSQL's lexer, as far as names and strings go (manual, 4.1): words, "names" and 'strings'. */
function tokens(sql: string): { names: string[]; strings: string[]; words: string } {
  const names: string[] = [];
  const strings: string[] = [];
  const pattern = /"((?:[^"]|"")*)"| E'((?:[^'\\]|''|\\[^])*)'|'((?:[^']|'')*)'/g;
  const words = sql.replace(pattern, (_whole, name?: string, escaped?: string, plain?: string) => {
    if (name !== undefined) names.push(name.replaceAll('""', '"'));
    else if (escaped !== undefined) strings.push(escaped.replace(/''|\\([^])/g, (match, c?: string) => c ?? match[0]!));
    else strings.push(plain!.replaceAll("''", "'"));
    return name === undefined ? "?" : "#";
  });
  return { names, strings, words };
}

const text = fc.oneof(
  fc.string({ minLength: 1 }),
  fc.string({ unit: fc.constantFrom('"', "'", "\\", "a", ";", "-", "\n", "$", "E", " "), minLength: 1 }),
);

describe("every name and string is quoted, so that unquoted again it is the same", () => {
  const until = new Date("2026-01-01T00:00:00Z");
  const statements: [string, (a: string, b: string, c: string) => string, string][] = [
    ["createOwner", (a) => ddl.createOwner(a), "a"],
    ["createLogin", (a, b, c) => ddl.createLogin(a, b, 5, c), "aBc"],
    ["setPassword", (a, b) => ddl.setPassword(a, b), "aB"],
    ["setValidUntil", (a) => ddl.setValidUntil(a, until), "a"],
    ["disableLogin", (a) => ddl.disableLogin(a), "a"],
    ["setConnectionLimit", (a) => ddl.setConnectionLimit(a, 3), "a"],
    ["setForRole", (a, b, c) => ddl.setForRole(a, b, c), "abC"],
    ["grantRole", (a, b) => ddl.grantRole(a, b), "ab"],
    ["commentOnRole", (a, b) => ddl.commentOnRole(a, b), "aB"],
    ["renameRole", (a, b) => ddl.renameRole(a, b), "ab"],
    ["dropRole", (a) => ddl.dropRole(a), "a"],
    ["dropOwned", (a) => ddl.dropOwned(a), "a"],
    ["createDatabase", (a, b, c) => ddl.createDatabase(a, b, c), "abc"],
    ["renameDatabase", (a, b) => ddl.renameDatabase(a, b), "ab"],
    ["limitConnections", (a) => ddl.limitConnections(a, 0), "a"],
    ["allowConnections", (a) => ddl.allowConnections(a, false), "a"],
    ["dropDatabase", (a) => ddl.dropDatabase(a), "a"],
    ["revokeAllFromPublic", (a) => ddl.revokeAllFromPublic(a), "a"],
    ["grantConnect", (a, b, c) => ddl.grantConnect(a, [b, c]), "abc"],
    ["createExtension", (a) => ddl.createExtension(a), "a"],
    ["schemaPrivileges", (a, b) => ddl.schemaPrivileges(a, b).slice(1, 3).join(";"), "ab"],
  ];

  test.each(statements)("in %s", (_name, build, places) => {
    const plain = tokens(build("a", "b", "c")).words;
    fc.assert(
      fc.property(text, text, text, (a, b, c) => {
        const found = tokens(build(a, b, c));
        // Small letters are names, capitals are strings; what remains are the statement's own words, always the same.
        const given: Record<string, string> = { a, b, c };
        expect(found.words).toBe(plain);
        for (const place of places)
          expect(place < "a" ? found.strings : found.names).toContain(given[place.toLowerCase()]);
      }),
      { numRuns: 60 },
    );
  });

  test("a limit is a whole number, whatever it was", () => {
    expect(ddl.setConnectionLimit("a", 3.7)).toBe('ALTER ROLE "a" CONNECTION LIMIT 3');
    expect(ddl.createLogin("a", "v", -1)).toContain(" CONNECTION LIMIT -1 ");
  });
});

describe("a setting that is copied from another role", () => {
  test.each([
    ["statement_timeout=5min", 'ALTER ROLE "a" SET "statement_timeout" = \'5min\''],
    ["my.setting=a, b = c", 'ALTER ROLE "a" SET "my.setting" = \'a, b = c\''],
    ['search_path="$user", public', "ALTER ROLE \"a\" SET \"search_path\" = '$user', 'public'"],
    ['search_path="My ""Schema""", "a, b"', 'ALTER ROLE "a" SET "search_path" = \'My "Schema"\', \'a, b\''],
    ['search_path=""', 'ALTER ROLE "a" SET "search_path" = \'\''],
  ])("%s means the same there", (stored, statement) => expect(ddl.copySetting("a", stored)).toBe(statement));

  test("stays a name and values, whatever it holds", () => {
    fc.assert(
      fc.property(fc.constantFrom("search_path", "my.setting"), text, (setting, value) => {
        expect(tokens(ddl.copySetting("a", `${setting}=${value}`)).words).toMatch(/^ALTER ROLE # SET # =( ?\?,?)+$/);
      }),
    );
  });
});

describe("what a role of an app gets", () => {
  test("reaches nothing beyond its database", () => {
    for (const statement of [ddl.createOwner("a"), ddl.createLogin("a", "v", 5)])
      for (const right of ["NOSUPERUSER", "NOCREATEDB", "NOCREATEROLE", "NOREPLICATION", "NOBYPASSRLS"])
        expect(statement).toContain(right);
    expect(ddl.createOwner("a")).toContain(" NOLOGIN ");
  });

  test("is nothing in schema public for anybody else", () => {
    expect(ddl.schemaPrivileges("own", "ro")[0]).toBe("REVOKE ALL ON SCHEMA public FROM PUBLIC");
  });
});

describe("the pooler's lookup", () => {
  const sql = ddl.lookupFunction("pgbouncer_auth").join(";\n");

  test("answers for nobody who is a superuser, replicates, may not log in or has expired", () => {
    for (const condition of ["rolcanlogin", "NOT rolsuper", "NOT rolreplication", "rolvaliduntil > pg_catalog.now()"])
      expect(sql).toContain(condition);
  });

  test("runs with a search path that nobody can plant into, and for one role alone", () => {
    expect(sql).toMatch(/SECURITY DEFINER SET search_path = pg_catalog, pg_temp/);
    expect(sql).toContain("REVOKE ALL ON FUNCTION pgbouncer.user_lookup(text) FROM PUBLIC");
    expect(sql).toContain('GRANT EXECUTE ON FUNCTION pgbouncer.user_lookup(text) TO "pgbouncer_auth"');
  });
});
