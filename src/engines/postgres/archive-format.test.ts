import { describe, expect, test } from "vitest";
import { ArchiveCheck, BrokenArchive, readContents } from "./archive-format.ts";

const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(5);
  bytes[0] = value < 0 ? 1 : 0;
  bytes.writeUInt32LE(Math.abs(value), 1);
  return bytes;
};
const text = (value: string | null): Buffer =>
  value === null ? int(-1) : Buffer.concat([int(Buffer.byteLength(value)), Buffer.from(value)]);

/** A table of contents as PostgreSQL 15 (1.14), 16 (1.15) and 17 (1.16) write it, with one table and its data. */
function archive(minor: number, blocks: Buffer[] = [block(2, ["abc", "defgh"])]): Buffer {
  const entry = (id: number, kind: string, tag: string, hasData: boolean) =>
    Buffer.concat([
      ...[int(id), int(hasData ? 1 : 0), text("0"), text("0"), text(tag), text(kind), int(2)],
      ...[text("CREATE TABLE x ();\n"), text("DROP"), text(null), text("public"), text(""), text("heap")],
      ...(minor >= 16 ? [int(114)] : []),
      ...[text("shop_owner"), text("false"), text("1"), text(null)],
      Buffer.from([hasData ? 1 : 3]),
      Buffer.alloc(8),
    ]);
  return Buffer.concat([
    Buffer.from("PGDMP"),
    Buffer.from([1, minor, 0, 4, 8, 1]),
    ...(minor >= 15 ? [Buffer.from([1])] : [int(-1)]),
    ...[0, 30, 15, 20, 10, 126, 0].map(int),
    ...[text("shop"), text("15.18"), text("15.18"), int(3)],
    entry(1, "TABLE", "item", false),
    entry(2, "TABLE DATA", "item", true),
    entry(3, "EXTENSION", "pg_trgm", false),
    ...blocks,
  ]);
}

function block(id: number, parts: string[]): Buffer {
  return Buffer.concat([Buffer.from([1]), int(id), ...parts.map(text), int(0)]);
}

/** Reads an archive in pieces of so many bytes. */
function read(bytes: Buffer, size = bytes.length) {
  const check = new ArchiveCheck();
  for (let at = 0; at < bytes.length; at += size) check.push(bytes.subarray(at, at + size));
  return check.end();
}

describe("an archive of pg_dump's custom format", () => {
  test.each([14, 15, 16])("of version 1.%i is read, in pieces of any size", (minor) => {
    for (const size of [1, 2, 7, 64, 100_000]) {
      const contents = read(archive(minor), size);
      expect(contents).toMatchObject({ database: "shop", serverVersion: "15.18" });
      expect(contents.entries.map(({ id, kind, tag, schema, hasData }) => [id, kind, tag, schema, hasData])).toEqual([
        [1, "TABLE", "item", "public", false],
        [2, "TABLE DATA", "item", "public", true],
        [3, "EXTENSION", "pg_trgm", "public", false],
      ]);
    }
  });

  test("that was cut off anywhere is no whole one", () => {
    const bytes = archive(14);
    for (let length = 0; length < bytes.length; length++)
      expect(() => read(bytes.subarray(0, length)), `${length} of ${bytes.length}`).toThrow(BrokenArchive);
    expect(() => read(bytes)).not.toThrow();
  });

  test("without a table's data is no whole one, and says whose", () => {
    expect(() => read(archive(14, []))).toThrow("the data of public.item is not in it");
  });

  test("with anything behind it, or of another format, is refused", () => {
    expect(() => read(Buffer.concat([archive(14), Buffer.from("x")]))).toThrow(BrokenArchive);
    expect(() => read(Buffer.from("SELECT 1;"))).toThrow("no archive");
    expect(() => read(archive(99))).toThrow("version 1.99");
  });

  test("whose numbers promise more than there is does not take memory for it", () => {
    const bytes = archive(14);
    const at = bytes.indexOf("shop") - 4;
    bytes.writeUInt32LE(0x7fffffff, at);
    expect(() => read(bytes)).toThrow("table of contents is broken");
  });

  test("shows its table of contents before its data has come", async () => {
    async function* source() {
      yield archive(14, []);
      throw new Error("nobody reads this far");
    }
    expect((await readContents(source())).entries).toHaveLength(3);
  });
});
