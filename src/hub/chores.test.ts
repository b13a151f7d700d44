import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RunBench, testOperation, World } from "../../tests/harness/runs.ts";
import { homePaths } from "../cluster/home.ts";
import { waitUntil } from "../core/clock.ts";
import { HomelabError } from "../core/errors.ts";
import { repeat, type Chore } from "../operations/chores.ts";
import type { AnyOperation } from "../operations/operation.ts";
import type { Site } from "../site/site.ts";
import { hubChores, type HubChores } from "./chores.ts";

let bench: RunBench;
let world: World;
let told: string[];
let calls: string[];
beforeEach(async () => {
  bench = await RunBench.open();
  [world, told, calls] = [new World(), [], []];
});
afterEach(() => bench.destroy());

const tell = (name: string, says: string, level: string) => void told.push(`${level} ${name}: ${says}`);

/** The chores of a hub with this operation, by their names. */
function chores(operation: AnyOperation, isLeader: boolean, topology = { paths: homePaths(bench.folder) }) {
  const { runner, journal } = bench.process([operation]);
  const counted = (name: string, count: number) => async () => (calls.push(name), count);
  const parts: HubChores = {
    site: { topology } as unknown as Site,
    leadership: { isLeader },
    journal: { interrupted: () => journal.interrupted(), get: (id) => journal.get(id), sync: counted("sync", 2) },
    takeBench: () => ({ runner, done: () => void calls.push("done") }),
    drains: { audit: counted("audit", 0) },
    purges: { answers: counted("answers", 7) },
    keepTimetable: async () => (calls.push("timetable"), []),
    keepProofs: async () => [],
    sampleBackups: async () => void calls.push("sample"),
  };
  const all = hubChores(parts, tell);
  return { journal, work: (name: string) => all.find((chore) => chore.name === name)!.work() };
}

const NAMES = ["resume", "due", "certificates", "journal", "audit", "answers"];

test("a hub that does not lead brings its own records, and starts nothing", async () => {
  const operation = testOperation([world.step("a")]);
  await bench.dieAt(operation, { step: "a", moment: "before-effect" });
  const { work } = chores(operation, false);
  expect(await Promise.all(NAMES.map(work))).toEqual([[], [], [], ["operations were brought: 2"], [], []]);
  expect(calls.sort()).toEqual(["audit", "sync"]);
  expect(world.done).toEqual([]);
});

test("the hub that leads finishes what was interrupted, and removes what has had its day", async () => {
  const operation = testOperation([world.step("a")]);
  await bench.dieAt(operation, { step: "a", moment: "before-effect" });
  const { work, journal } = chores(operation, true);
  await work("resume");
  await waitUntil(async () => told.length > 0, { timeout: 5, every: 5, what: "it was finished" });
  expect(told[0]).toMatch(/^info resume: test\.do \(op_/);
  expect([(await journal.list())[0]!.state, world.done]).toEqual(["completed", ["a"]]);
  await work("answers");
  expect(calls).toEqual(["done", "answers"]);
});

test("only the hub that leads keeps the timetable, and every hub looks at the repositories", async () => {
  await writeFile(join(bench.folder, "bootstrapped.json"), "{}");
  const home = { paths: { ...homePaths(bench.folder), bootstrapped: join(bench.folder, "bootstrapped.json") } };
  for (const isLeader of [false, true]) {
    const { work } = chores(testOperation([]), isLeader, home);
    await work("timetable");
    await work("repositories");
  }
  expect(calls).toEqual(["sample", "timetable", "done", "sample"]);
});

test("one run that takes long does not hold up the others", async () => {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  const slow = world.step("a", {
    async run({ input }) {
      if (input.name === "slow") await opened;
      return { says: "a" };
    },
  });
  const operation = testOperation([{ ...slow, check: undefined }], { locks: ({ name }) => [name!] });
  for (const name of ["slow", "quick"]) await bench.dieAt(operation, { step: "a", moment: "before-effect" }, { name });
  const { work, journal } = chores(operation, true);
  const over = async () => (await journal.list({ state: "completed" })).map(({ input }) => input);
  await work("resume");
  await waitUntil(async () => (await over()).length === 1, { timeout: 5, every: 5, what: "the quick one is over" });
  await work("resume");
  expect(await over()).toEqual([{ name: "quick" }]);
  open();
  await waitUntil(async () => (await over()).length === 2, { timeout: 5, every: 5, what: "both are over" });
});

test("a home that was not set up whole has nothing that is due", async () => {
  const { work } = chores(testOperation([]), true);
  expect(await Promise.all([work("due"), work("certificates")])).toEqual([[], []]);
  expect(calls).toEqual([]);
});

test("what goes wrong is said once, until it is another thing", async () => {
  const ending = new AbortController();
  const fates = ["no", "no", undefined, "no", "other", "other"];
  const chore: Chore = {
    name: "x",
    every: 1,
    async work() {
      if (fates.length === 1) ending.abort();
      const fate = fates.shift();
      if (fate) throw new HomelabError("failed", fate);
      return ["well"];
    },
  };
  await repeat(chore, ending.signal, tell);
  expect(told).toEqual(["warn x: no", "info x: well", "warn x: no", "warn x: other"]);
});
