import { afterAll, beforeAll, expect, test } from "vitest";
import type { TestHome } from "../harness/home.ts";
import { fuzz, fuzzHome } from "../fuzz/run.ts";
import { isClean, reportText } from "../fuzz/table.ts";

let home: TestHome;
beforeAll(async () => {
  home = await fuzzHome();
});
afterAll(() => home.destroy());

/** The same requests each time: npm run fuzz asks more, and others. */
const SEED = 20_260_401;

test("whatever is asked of the API, in whatever way, it keeps to its document", async () => {
  const report = await fuzz(home, { requests: 1200, seed: SEED });
  expect(isClean(report), reportText(report)).toBe(true);
});
