import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AgeError, openWithPassphrase, sealWithPassphrase } from "./age.ts";
import { Secret } from "./secret.ts";

const passphrase = new Secret("seven words that nobody else has in mind");

/** Little work: what is tested is the format. */
const seal = (text: string) => sealWithPassphrase(text, passphrase, 2);
const open = (sealed: string | Buffer, by = passphrase) => openWithPassphrase(Buffer.from(sealed as string), by);
const reasonOf = (opening: Promise<string>) =>
  opening.then(
    () => "opened",
    (error: AgeError) => error.reason,
  );

/** Made by age 1.1.1 itself (`age -p -a`). */
const BY_AGE = `-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBJejJOU2RtOW1aK2pzZ1Ro
UU16blRBIDE4CkpiQWZkWElvcTVwRG9kSEF1UzhFakdReXpGYW5vYVI3TUJzcEZv
bVVObjAKLS0tIEs3R3oyRHZSY1laaFh3a0ozc1ZZTWIzRVBXT2FUajFRNXpkU3JO
ZitJVWMKLlFiNF9EEpK/zd8rZimXoqYdBhh+5h8+wVA7DEa4uNcPv1cwEBon5pSY
SRLXQREhr2cHjNk=
-----END AGE ENCRYPTED FILE-----
`;

test("what age itself has sealed is opened: the format is age's", async () => {
  expect(await open(BY_AGE)).toBe("sealed by age itself\n");
});

describe("a file sealed with a passphrase", () => {
  test("is opened with it, whatever is inside", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme", maxLength: 300 }), async (text) => {
        expect(await open(await seal(text))).toBe(text);
      }),
      { numRuns: 30 },
    );
  });

  test.each([0, 1, 65_535, 65_536, 65_537, 131_072, 200_000])("is opened whole with %d bytes", async (bytes) => {
    const text = "x".repeat(bytes);
    expect(await open(await seal(text))).toBe(text);
  });

  test("holds nothing that can be read, and is of printable lines", async () => {
    const sealed = await seal("a password: correct horse");
    expect(sealed).toMatch(
      /^-----BEGIN AGE ENCRYPTED FILE-----\n([A-Za-z0-9+/=]{1,64}\n)+-----END AGE ENCRYPTED FILE-----\n$/,
    );
    expect(Buffer.from(sealed.split("\n").slice(1, -2).join(""), "base64").toString("latin1")).not.toContain("horse");
  });

  test("is another one each time", async () => {
    expect(await seal("the same")).not.toBe(await seal("the same"));
  });

  test("refuses another passphrase", async () => {
    expect(await reasonOf(open(await seal("text"), new Secret("something else")))).toBe("passphrase");
  });

  test("is opened after a mail program gave its lines other ends", async () => {
    expect(await open(`\n${(await seal("text")).replaceAll("\n", "\r\n")}\r\n`)).toBe("text");
  });

  test("is never opened to something else, whichever byte was changed", async () => {
    const sealed = Buffer.from((await seal("text of some length")).split("\n").slice(1, -2).join(""), "base64");
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      expect(await reasonOf(openWithPassphrase(changed, passphrase)), `byte ${at}`).not.toBe("opened");
    }
  });

  test("is not opened when a part of it is missing, or was added", async () => {
    const lines = (await seal("x".repeat(70_000))).split("\n");
    expect(await reasonOf(open([...lines.slice(0, 20), ...lines.slice(21)].join("\n")))).toBe("damaged");
    expect(await reasonOf(open(lines.slice(0, 40).join("\n")))).toBe("damaged");
    const bytes = Buffer.from(lines.slice(1, -2).join(""), "base64");
    for (const other of [bytes.subarray(0, -65_552), Buffer.concat([bytes, bytes.subarray(-100)])])
      expect(await reasonOf(openWithPassphrase(other, passphrase))).toBe("damaged");
  });

  test("that asks for a machine's whole memory is refused at once", async () => {
    const header = `age-encryption.org/v1\n-> scrypt ${"A".repeat(22)} 30\n${"A".repeat(43)}\n--- ${"A".repeat(43)}\n`;
    expect(await reasonOf(open(header))).toBe("format");
  });

  test.each(["", "hello", "-----BEGIN PGP MESSAGE-----", "age-encryption.org/v1\n-> X25519 abc\n"])(
    "is told from something else: %j",
    async (text) => {
      expect(await reasonOf(open(text))).toBe("format");
    },
  );
});
