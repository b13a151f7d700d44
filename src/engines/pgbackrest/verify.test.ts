import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseVerification } from "./verify.ts";

/** What pgBackRest 2.45 printed for a repository of ours. */
const read = (name: string): string => readFileSync(join(import.meta.dirname, "testdata", name), "utf8");

describe("what pgBackRest found in a repository", () => {
  test("is nothing where it is whole", () => {
    const { backups, segments, others } = parseVerification(read("verify-2.45-whole.txt"));
    expect([[...backups], segments, others]).toEqual([[], [], []]);
  });

  test("F60: is every backup that a corrupt file is in, and every corrupt segment, by name", () => {
    const { backups, segments } = parseVerification(read("verify-2.45-corrupt.txt"));
    expect([...backups]).toEqual([
      ["20261120-162314F", "1 file corrupt in the repository"],
      ["20261120-162314F_20261120-162447I", "1 file corrupt in the repository"],
    ]);
    expect(segments).toEqual(["000000010000000000000004"]);
  });

  test("is said in words for each way in which a backup can be broken", () => {
    const faultOf = (line: string, details = "") =>
      parseVerification(`status: error\n  backup: A, ${line}\n    ${details}\n`).backups.get("A");
    const files = "total files checked: 9, total valid files: 5";
    expect(faultOf(`status: invalid, ${files}`, "missing: 2, checksum invalid: 0, size invalid: 1, other: 0")).toBe(
      "2 files missing, 1 file cut short in the repository",
    );
    expect(faultOf(`status: manifest missing, ${files}`)).toBe("its manifest is missing");
    expect(faultOf(`status: invalid, ${files}`, "other: 4")).toBe("its files cannot be read");
    expect(faultOf(`status: valid, ${files}`)).toBeUndefined();
    expect(faultOf(`status: in-progress, ${files}`)).toBeUndefined();
  });

  test("may be that the repository itself cannot be read", () => {
    expect(parseVerification("stanza: a\nstatus: error\n  No usable backup.info file").others).toHaveLength(1);
  });
});
