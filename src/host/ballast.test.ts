import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BALLAST_BYTES, keepBallast, releaseBallast } from "./ballast.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hl-ballast-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("the ballast takes real space, is made once, and stays while there is room", async () => {
  expect(await keepBallast(folder)).toBe(true);
  const { blocks, size } = await stat(join(folder, "homelab-ballast"));
  expect(size).toBe(BALLAST_BYTES);
  // In units of 512 bytes (stat(2)).
  expect(blocks * 512).toBeGreaterThanOrEqual(BALLAST_BYTES);
  expect(await keepBallast(folder)).toBe(false);
  expect(await releaseBallast(folder)).toBe(0);
});

test("where there is no WAL yet, there is no ballast", async () => {
  expect(await keepBallast(join(folder, "pg_wal"))).toBe(false);
  expect(await releaseBallast(join(folder, "pg_wal"))).toBe(0);
});
