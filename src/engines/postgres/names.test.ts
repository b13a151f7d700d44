import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HomelabError } from "../../core/errors.ts";
import { checkCreatedName, deletedName, isSystemDatabase, rolesOf } from "./names.ts";

const LISTED = [
  "",
  " ",
  "shop ",
  " shop",
  "my shop",
  "Shop",
  "SHOP",
  "shop-db",
  "shop.db",
  "1shop",
  "_shop",
  "$shop",
  "shop$",
  "shop!",
  "shop;",
  "shop; DROP DATABASE postgres",
  "shop'",
  "shop''",
  'shop"',
  '"shop"',
  'shop" OWNER postgres --',
  "shop`id`",
  "$(id)",
  "${HOME}",
  "shop\\",
  "shop\n",
  "shop\r\n",
  "\nshop",
  "shop\t",
  "shop\0",
  "shop\u001b[31m",
  "shop\u0007",
  "shop\u202egpj",
  "shop\u200b",
  "shop\ufeff",
  "shop\u00a0",
  "shop\u2028",
  "=host=evil.example",
  "host=evil.example",
  "dbname=shop host=evil",
  "postgresql://evil.example/shop",
  "postgres://u:p@h/d",
  "../shop",
  "../../etc/passwd",
  "/etc/passwd",
  "shop/../../x",
  "shop/",
  ".",
  "..",
  "~",
  "~/shop",
  "%2e%2e%2f",
  "shop%00",
  "*",
  "?",
  "[databases]",
  "%include /etc/passwd",
  "# shop",
  "; shop",
  "--help",
  "--version",
  "-Fd",
  "-f/etc/passwd",
  "-",
  "--",
  "<script>alert(1)</script>",
  "<b>",
  "shop&co",
  "{{7*7}}",
  "a,b",
  "a:b",
  "a@b",
  "a|b",
  "a>b",
  "(a)",
  "pgbouncer",
  "postgres",
  "template0",
  "template1",
  "template_shop",
  "templates",
  "pg_shop",
  "pg_catalog",
  "pg_",
  "none",
  "public",
  "all",
  "replication",
  "user",
  "session_user",
  "current_user",
  "current_role",
  "größe",
  "ñandu",
  "магазин",
  "ѕhop",
  "shоp",
  "sһop",
  "ｓｈｏｐ",
  "ſhop",
  "İstanbul",
  "ıstanbul",
  "データ",
  "متجر",
  "shop🛒",
  "𝐬𝐡𝐨𝐩",
  "ﬁle",
  "e\u0301t",
  "a".repeat(64),
  "a".repeat(70),
  "a".repeat(100_000),
  "é".repeat(40),
  "__proto__",
  "hasOwnProperty",
  "toString",
  "sameSite",
  "null ",
  "0",
  "1e3",
];

/** The hostile signs, each at every place of an otherwise good name. */
const SIGNS = [
  "'",
  '"',
  "\n",
  "\\",
  ";",
  "/",
  "=",
  " ",
  "-",
  "%",
  "\0",
  "\u202e",
  "А",
  "é",
  "$",
  "`",
  "#",
  ",",
  ":",
  "@",
];
const generated = SIGNS.flatMap((sign) => [
  `${sign}shop`,
  `sh${sign}op`,
  `shop${sign}`,
  `${sign}${sign}`,
  `a${sign}b${sign}c`,
]);
const hostile = [...new Set([...LISTED, ...generated])];

function refusal(name: string): HomelabError | undefined {
  try {
    checkCreatedName(name);
    return undefined;
  } catch (error) {
    return error as HomelabError;
  }
}

const created = fc.stringMatching(/^[a-z][a-z0-9_]{0,62}$/).filter((name) => refusal(name) === undefined);

describe("checkCreatedName", () => {
  test("knows about two hundred hostile names", () => {
    expect(hostile.length).toBeGreaterThanOrEqual(200);
  });

  test.each(hostile)("refuses %j, and what it suggests would do", (name) => {
    const error = refusal(name);
    expect(error).toBeInstanceOf(HomelabError);
    expect(error!.code).toBe("name_refused");
    const suggestion = /^(\S+) would do\.$/.exec(error!.hint!)?.[1];
    if (suggestion === undefined)
      expect(error!.hint).toBe("Use lower-case letters, digits and underscores, a letter first.");
    else expect(refusal(suggestion)).toBeUndefined();
  });

  test("says so on one line that can be printed, however long the name is", () => {
    for (const name of hostile) {
      expect(refusal(name)!.message).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
      expect(refusal(name)!.message.length).toBeLessThan(700);
    }
  });

  test("takes 100,000 characters without a pause", () => {
    const begun = performance.now();
    for (const name of [`a${"_".repeat(100_000)}a`, "é".repeat(100_000), "A-".repeat(50_000)]) refusal(name);
    expect(performance.now() - begun).toBeLessThan(1000);
  });

  test.each([
    ["My Shop", "my_shop"],
    ["Größe", "gro_e"],
    ["shop-db", "shop_db"],
    ["1shop", "shop"],
    ["postgres", "postgres_db"],
    ["pg_shop", "shop_db"],
    ["../shop", "shop"],
    ["a".repeat(70), "a".repeat(63)],
  ])("suggests for %j a name close to it", (name, suggestion) => {
    expect(refusal(name)!.hint).toMatch(new RegExp(`^${suggestion.slice(0, 3)}[a-z0-9_]* would do\\.$`));
  });

  test.each(["a", "shop", "shop_2", "a1_", "homelab", "x".repeat(63), "postgres_app", "user_data", "alligator"])(
    "lets %s through",
    (name) => expect(refusal(name)).toBeUndefined(),
  );

  test("lets nothing through that any engine, file or URL would have to quote", () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom(...hostile));
    fc.assert(
      fc.property(text, (name) => {
        const error = refusal(name);
        if (!error) expect(encodeURIComponent(name)).toMatch(/^[a-z][a-z0-9_]{0,62}$/);
        const suggestion = /^(\S+) would do\.$/.exec(error?.hint ?? "")?.[1];
        if (suggestion) expect(refusal(suggestion)).toBeUndefined();
      }),
    );
  });
});

describe("rolesOf", () => {
  const all = (database: string): string[] => Object.values(rolesOf(database));

  test("are the database's name and what each is for", () => {
    expect(rolesOf("shop")).toEqual({
      owner: "shop_owner",
      app: "shop_app",
      appAlternate: "shop_app_b",
      readOnly: "shop_ro",
    });
  });

  /** A second name made to collide: what is left of a role of the first once a suffix is taken off it. */
  const rival = fc
    .tuple(created, fc.nat(3), fc.constantFrom("_owner", "_app", "_app_b", "_ro", "_b", ""))
    .map(([first, index, suffix]) => {
      const role = all(first)[index]!;
      return [first, role.endsWith(suffix) ? role.slice(0, role.length - suffix.length) : role] as const;
    })
    .filter(([first, second]) => first !== second && refusal(second) === undefined);

  const cousins = fc
    .tuple(fc.integer({ min: 40, max: 62 }), created, created)
    .map(
      ([length, a, b]) => [`${"x".repeat(length)}${a}`.slice(0, 63), `${"x".repeat(length)}${b}`.slice(0, 63)] as const,
    )
    .filter(([a, b]) => a !== b);

  test("of two databases never have one in common, not even where a name was chosen for that", () => {
    const pair = fc.oneof(
      fc.tuple(created, created).filter(([a, b]) => a !== b),
      rival,
      cousins,
    );
    fc.assert(
      fc.property(pair, ([a, b]) => {
        expect(all(a).filter((role) => all(b).includes(role))).toEqual([]);
        expect(new Set(all(a)).size).toBe(4);
      }),
      { numRuns: 500 },
    );
  });

  test("of a long name are not those of the short name that they contain", () => {
    const long = "x".repeat(63);
    for (const role of all(long))
      for (const suffix of ["_owner", "_app", "_app_b", "_ro"]) {
        const shorter = role.slice(0, -suffix.length);
        if (role.endsWith(suffix) && refusal(shorter) === undefined)
          expect(all(long).filter((name) => all(shorter).includes(name))).toEqual([]);
      }
  });

  test("fit into PostgreSQL's 63 bytes, whatever the name", () => {
    fc.assert(
      fc.property(fc.oneof(created, fc.string({ unit: "binary", maxLength: 200 })), (name) => {
        for (const role of all(name)) expect(Buffer.byteLength(role)).toBeLessThanOrEqual(63);
      }),
    );
  });

  test("of a name of a megabyte take no time", () => {
    const begun = performance.now();
    rolesOf("ü".repeat(1_000_000));
    expect(performance.now() - begun).toBeLessThan(1000);
  });
});

describe("deletedName", () => {
  test("is no name that could be created, fits, and differs by database and by second", () => {
    const at = new Date("2026-03-04T05:06:07.890Z");
    const name = deletedName("shop", at);
    expect(name).toMatch(/^deleted-20260304050607-[0-9a-f]{8}$/);
    expect(refusal(name)?.code).toBe("name_refused");
    expect(deletedName("shop2", at)).not.toBe(name);
    expect(deletedName("shop", new Date(at.getTime() + 1000))).not.toBe(name);
  });
});

test.each([
  ["postgres", true],
  ["template0", true],
  ["template1", true],
  ["homelab_jarvis", true],
  ["shop", false],
  ["postgres_copy", false],
])("%s is the platform's own: %s", (name, system) => expect(isSystemDatabase(name)).toBe(system));
