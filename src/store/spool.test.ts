import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openSpool, type Spool, type Spooled } from "./spool.ts";

let folder: string;
let spool: Spool;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spool-"));
  spool = openSpool(join(folder, "spool.db"));
});
afterEach(() => {
  spool.close();
  rmSync(folder, { recursive: true });
});

/** Takes everything and answers it. */
async function drained(kind = "audit"): Promise<Spooled[]> {
  const all: Spooled[] = [];
  await spool.drain(kind, async (entries) => void all.push(...entries));
  return all;
}

describe("the spool", () => {
  test("hands entries over in the order in which they came, and once", async () => {
    for (const id of ["c", "a", "b"]) spool.put("audit", id, { id });
    expect(await drained()).toEqual(["c", "a", "b"].map((id) => ({ id, payload: { id } })));
    expect(await drained()).toEqual([]);
  });

  test("keeps one entry of an id, the first", async () => {
    spool.put("audit", "a", 1);
    spool.put("audit", "a", 2);
    expect(await drained()).toEqual([{ id: "a", payload: 1 }]);
  });

  test("keeps kinds apart", async () => {
    spool.put("audit", "a", 1);
    spool.put("other", "a", 2);
    expect(await drained("other")).toEqual([{ id: "a", payload: 2 }]);
    expect(spool.count("audit")).toBe(1);
  });

  test("keeps what could not be written, for the next time", async () => {
    for (let i = 0; i < 250; i++) spool.put("audit", `${i}`, i);
    let batches = 0;
    const failing = spool.drain("audit", async () => {
      if (++batches === 2) throw new Error("away");
    });
    await expect(failing).rejects.toThrow("away");
    expect(spool.count("audit")).toBe(150);
    expect((await drained()).map(({ payload }) => payload)).toEqual(Array.from({ length: 150 }, (_, i) => 100 + i));
  });

  test("drains one after the other when asked twice at once", async () => {
    for (let i = 0; i < 5; i++) spool.put("audit", `${i}`, i);
    expect((await Promise.all([drained(), drained()])).map((entries) => entries.length)).toEqual([5, 0]);
  });

  test("is still there in another process", async () => {
    spool.put("audit", "a", "later");
    const other = openSpool(join(folder, "spool.db"));
    expect(other.count("audit")).toBe(1);
    other.close();
  });
});
