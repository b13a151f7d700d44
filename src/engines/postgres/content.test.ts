import { expect, test } from "vitest";
import { BYTES_AT_ONCE, sampleOf, wholeTable } from "./content.ts";

const BLOCK = 8192;
const END = 4_294_967_295;

test("a small table is one part, whatever is appended to it", () => {
  expect(wholeTable({ blocks: 0, bytes: 0 })).toEqual([[0, END]]);
  expect(wholeTable({ blocks: 10, bytes: 10 * BLOCK })).toEqual([[0, END]]);
});

test("a large table is read in parts that follow one another without a gap, the last one open", () => {
  const blocks = (3.5 * BYTES_AT_ONCE) / BLOCK;
  const parts = wholeTable({ blocks, bytes: blocks * BLOCK });
  expect(parts).toHaveLength(4);
  expect(parts.map(([from]) => from)).toEqual([0, 16_384, 32_768, 49_152]);
  expect(parts.map(([, to]) => to)).toEqual([16_384, 32_768, 49_152, END]);
});

test("what is kept out of line counts: parts of a table with large values have fewer blocks", () => {
  const parts = wholeTable({ blocks: 100, bytes: 10 * BYTES_AT_ONCE });
  expect(parts).toHaveLength(10);
});

test("a sample is evenly spread, begins at the first block and ends at the last", () => {
  const blocks = 100_000;
  const sample = sampleOf({ blocks, bytes: blocks * BLOCK }, 16, 8 * 1024 ** 2)!;
  expect(sample).toHaveLength(16);
  expect(sample[0]).toEqual([0, 64]);
  expect(sample.at(-1)).toEqual([blocks - 64, blocks]);
  for (const [i, [from]] of sample.slice(1).entries()) expect(from).toBeGreaterThanOrEqual(sample[i]![1]);
});

test("a table that is not larger than its sample has none", () => {
  expect(sampleOf({ blocks: 1000, bytes: 1000 * BLOCK }, 16, 8 * 1024 ** 2)).toBeNull();
});
